import { InputError } from "@ngpu/runtime/errors";
import { json, print, status } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { parseSeconds } from "../shared/units.ts";

type ListOptions = GlobalOptions & { status?: "pending" | "delivered" | "failed"; limit: string };

const columns = [
  { title: "EVENT" },
  { title: "TYPE" },
  { title: "CREATED" },
  { title: "STATUS" },
  { title: "ATTEMPTS", right: true },
  { title: "LAST ANSWER", cut: true },
];

/** Lists the deliveries of a webhook. */
export async function listDeliveries(id: string, options: ListOptions): Promise<void> {
  const settings = settingsOf(options);
  const query = {
    limit: Number(options.limit),
    ...(options.status === undefined ? {} : { status: options.status }),
  };
  const call = { path: { id }, query };
  const { deliveries } = await partnerApi(settings).call("GET /v1/webhooks/{id}/deliveries", call);
  if (settings.json) return print(json(deliveries));
  const rows = deliveries.map((one) => {
    const last = one.attempts.at(-1);
    const answer = last === undefined ? "none yet" : String(last.httpStatus ?? last.error);
    const created = one.createdAt.slice(0, 19).replace("T", " ");
    return [one.eventId, one.type, created, status(one.status), String(one.attempts.length), answer];
  });
  print(table(columns, rows));
}

/** Sends an event of a webhook again, or all since a time. */
export async function replayEvents(
  id: string,
  event: string | undefined,
  options: GlobalOptions & { since?: string },
): Promise<void> {
  const settings = settingsOf(options);
  const { since } = options;
  if ((event === undefined) === (since === undefined)) {
    throw new InputError("Either an event or a time is needed.", {
      code: "replay_unclear",
      hint: "Name the event's id, or add --since with a time such as 2h.",
    });
  }
  const body = event === undefined ? { since: timeOf(since ?? "") } : { eventId: event };
  const answer = await partnerApi(settings).call("POST /v1/webhooks/{id}/replay", { path: { id }, body });
  print(settings.json ? json(answer) : `Events that are sent again: ${answer.replayed}.`);
}

/** A time, or how long ago. @throws InputError `duration_invalid`. */
function timeOf(text: string): string {
  if (/^\d{4}-/.test(text)) return text;
  return new Date(Date.now() - 1_000 * parseSeconds(text)).toISOString();
}
