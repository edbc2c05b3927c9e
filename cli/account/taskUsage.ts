import { json, print } from "../shared/output.ts";
import { partnerApi, type Settings } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { parseSeconds, tokens } from "../shared/units.ts";

const numbers = ["TASKS", "SUCCEEDED", "FAILED", "SECONDS", "COST"].map((title) => ({ title, right: true }));

/** Shows the tasks of a period by hour, day, workspace or key. */
export async function showTaskUsage(settings: Settings, by: string, since: string): Promise<void> {
  const from = new Date(Date.now() - parseSeconds(since) * 1000).toISOString();
  const { usage } = await partnerApi(settings).call("GET /v1/usage", {
    // The API refuses another group.
    query: { by: by as "day", since: from },
  });
  if (settings.json) return print(json(usage));
  const rows = usage.map(({ group, tasks, succeeded, failed, ms, cost }) => [
    group,
    String(tasks),
    String(succeeded),
    String(failed),
    (ms / 1000).toFixed(1),
    tokens(cost),
  ]);
  print(table([{ title: by.toUpperCase() }, ...numbers], rows));
}
