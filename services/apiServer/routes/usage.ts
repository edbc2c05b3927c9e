import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { amount, isoTime } from "../schemas/common.ts";
import { statementQuery } from "../schemas/statement.ts";
import { readUsage, type UsageRow, usageGroups } from "../store/usage.ts";

const day = 86_400_000;
const time = (description: string) => z.iso.datetime({ offset: true }).optional().meta({ description });

const usageEntry = z
  .object({
    group: z.string().meta({ description: "The hour or day of UTC, the workspace's id or the key's id" }),
    tasks: z.number().int(),
    succeeded: z.number().int(),
    failed: z.number().int().meta({ description: "Failed or aborted" }),
    ms: z.number().meta({ description: "Their durations together, in milliseconds" }),
    cost: amount("What they cost: the price of the lease × the duration of each, as receipts count it"),
  })
  .meta({ id: "UsageEntry" });

export function usageRoutes({ db }: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/usage",
        tag: "Accounts",
        summary: "Show your tasks by hour, day, workspace or key",
        description:
          "At most 1,000 groups: the newest hours or days, or the workspaces or keys that cost most. Leases cost while no task runs, too: invoices show what was paid for them. With `accept: text/csv` or `format=csv` the groups are CSV.",
        access: "partner",
        query: z.object({
          by: z.enum(usageGroups).default("day"),
          since: time("Tasks from this time on; default: 30 days before `until`"),
          until: time("Tasks before this time; default: now"),
          format: statementQuery.shape.format,
        }),
        answer: z.object({
          by: z.enum(usageGroups),
          since: isoTime,
          until: isoTime,
          usage: z.array(usageEntry),
        }),
        streams: { contentType: "text/csv", description: "The groups, with a header line" },
      },
      async ({ partner: { wallet }, query: { by, since, until, format: given }, request, response }) => {
        const end = until === undefined ? new Date() : new Date(until);
        const start = since === undefined ? new Date(end.getTime() - 30 * day) : new Date(since);
        const usage = (await readUsage(db, wallet, { by, since: start, until: end })).map(entryOf);
        const format = given ?? (request.accepts(["json", "csv"]) === "csv" ? "csv" : "json");
        if (format === "json") return { by, since: start.toISOString(), until: end.toISOString(), usage };
        response.status(200).type("text/csv").send(csvOf(by, usage));
        return undefined;
      },
    ),
  ];
}

const entryOf = ({ cost, ...row }: UsageRow) => ({ ...row, cost: String(cost) });

/** The groups as CSV (RFC 4180) with a header. No value has a character that needs quotes. */
function csvOf(by: string, usage: readonly ReturnType<typeof entryOf>[]): string {
  const rows = usage.map(({ group, tasks, succeeded, failed, ms, cost }) =>
    [group, tasks, succeeded, failed, ms, cost].join(","),
  );
  return [`${by},tasks,succeeded,failed,ms,cost`, ...rows, ""].join("\r\n");
}
