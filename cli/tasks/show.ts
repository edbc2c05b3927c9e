import { setTimeout as sleep } from "node:timers/promises";
import { endWith } from "../shared/exitCodes.ts";
import { note, print, printEach, status } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { untilInterrupted } from "../shared/signals.ts";
import { table } from "../shared/table.ts";
import { parseSeconds } from "../shared/units.ts";
import { findWorkspace } from "../workspaces/find.ts";
import { endOf, showResult } from "./result.ts";

const columns = [
  { title: "TASK" },
  { title: "WORKSPACE" },
  { title: "STATUS" },
  { title: "NODE", right: true },
  { title: "MS", right: true },
  { title: "CREATED" },
  { title: "ERROR", cut: true },
];
const interval = 1_000;

/** Lists tasks, newest first. */
export async function listTasks(
  options: GlobalOptions & { workspace?: string; limit: string },
): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  const { workspace, limit } = options;
  const of = workspace === undefined ? {} : { workspaceId: await findWorkspace(api, workspace) };
  const { tasks } = await api.call("GET /v1/tasks", { query: { limit: Number(limit), ...of } });
  if (settings.json) return printEach(tasks);
  const rows = tasks.map((task) => [
    task.id,
    task.workspaceId,
    status(task.status),
    String(task.nodeId ?? ""),
    String(task.ms ?? ""),
    task.createdAt.slice(0, 19).replace("T", " "),
    task.error?.code ?? "",
  ]);
  print(table(columns, rows));
}

/** Shows a task. With `wait` it waits for its end; the exit code is 3 when it failed, 4 when the time is over. */
export async function showTask(
  id: string,
  options: GlobalOptions & { wait: boolean; timeout: string; output?: string },
): Promise<void> {
  const settings = settingsOf(options);
  const stop = performance.now() + parseSeconds(options.timeout) * 1000;
  await untilInterrupted(async (signal) => {
    const api = partnerApi(settings, signal);
    for (;;) {
      const task = await api.call("GET /v1/tasks/{id}", { path: { id } });
      const isOpen = task.status === "queued" || task.status === "running";
      if (!isOpen || !options.wait) {
        await showResult(settings, task, isOpen ? undefined : options.output);
        return endOf(task);
      }
      if (performance.now() > stop) {
        endWith("timeout");
        return note(`Task ${id} is ${task.status} after ${options.timeout}.`);
      }
      await sleep(interval, undefined, { signal });
    }
  });
}
