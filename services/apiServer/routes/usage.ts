import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { amount, isoTime } from "../schemas/common.ts";
import { statementQuery } from "../schemas/statement.ts";
import { readUsage, type UsageGroup, type UsageRow, usageGroups } from "../store/usage.ts";

const day = 86_400_000;
/** Most days of a period, and by hour: a longer one reads too many tasks. */
const mostDays = 92;
const mostDaysByHour = 31;
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
          "A period of at most 92 days, or 31 by hour. At most 1,000 groups: the newest hours or days, or the workspaces or keys that cost most. Leases cost while no task runs, too: invoices show what was paid for them. With `accept: text/csv` or `format=csv` the groups are CSV.",
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
        requirePeriod(by, start, end);
        const usage = (await readUsage(db, wallet, { by, since: start, until: end })).map(entryOf);
        const format = given ?? (request.accepts(["json", "csv"]) === "csv" ? "csv" : "json");
        if (format === "json") return { by, since: start.toISOString(), until: end.toISOString(), usage };
        response.status(200).type("text/csv").send(csvOf(by, usage));
        return undefined;
      },
    ),
  ];
}

/** @throws InputError `request_invalid` for a period that is too long. */
function requirePeriod(by: UsageGroup, since: Date, until: Date): void {
  const most = by === "hour" ? mostDaysByHour : mostDays;
  if (until.getTime() - since.getTime() <= most * day) return;
  const detail = `is more than ${most} days before until`;
  throw new InputError(`Invalid query since: ${detail}.`, {
    code: "request_invalid",
    hint: `Ask for at most ${mostDays} days, or ${mostDaysByHour} by hour, and for a longer period in parts.`,
    details: { errors: [{ location: "query", pointer: "/since", detail }] },
  });
}

const entryOf = ({ cost, ...row }: UsageRow) => ({ ...row, cost: String(cost) });

/** The groups as CSV (RFC 4180) with a header. No value has a character that needs quotes. */
function csvOf(by: string, usage: readonly ReturnType<typeof entryOf>[]): string {
  const rows = usage.map(({ group, tasks, succeeded, failed, ms, cost }) =>
    [group, tasks, succeeded, failed, ms, cost].join(","),
  );
  return [`${by},tasks,succeeded,failed,ms,cost`, ...rows, ""].join("\r\n");
}
