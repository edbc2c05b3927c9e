import { json, print, status } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";

/** Cancels a task and prints its status. */
export async function cancelTask(id: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const task = await partnerApi(settings).call("POST /v1/tasks/{id}/cancel", { path: { id } });
  print(settings.json ? json(task) : `Task ${task.id}: ${status(task.status)}`);
}
