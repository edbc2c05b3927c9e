import { type ReasonCode, reasons } from "@ngpu/protocol/reasons/reasons";
import { z } from "zod";
import { isoTime, nextPage, text, tier } from "./common.ts";

const reasonCode = z.enum(Object.keys(reasons) as [ReasonCode, ...ReasonCode[]]);
const hint = z.string().meta({ description: "What to do" });
const details = z.record(z.string(), z.unknown()).meta({
  description:
    "Facts by code, as docs/reference/reasons.md lists them. Text of a container or a registry is theirs",
});

/** Why a workspace or a replica does not run. */
export const reason = z
  .object({
    code: reasonCode.meta({ description: "Stable, machine-readable code" }),
    message: z.string().meta({ description: "What is so, in a sentence" }),
    hint,
    details,
    since: isoTime,
  })
  .meta({ id: "Reason" });

const cursor = z
  .string()
  .regex(/^\d{1,18}\.\d{1,9}\.[0-9a-f]{8}\.\d{1,18}$/, "is not the cursor of an event")
  .meta({ description: "Cursor of an event: the events after it follow", example: "120.3.1f2e3d4c.7" });

export const eventsQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .meta({ description: "Maximum number of events in the response; a stream has all" }),
  after: cursor.optional(),
});

export const eventsHeaders = z.object({
  "last-event-id": z
    .union([cursor, z.literal("")])
    .optional()
    .meta({ description: "Resumes a stream after this cursor, as browsers send it" }),
});

export const workspaceEvent = z
  .object({
    id: text(1, 40).meta({ description: "The same when the event is repeated" }),
    cursor,
    time: isoTime.meta({ description: "Time of the block, or of the last occurrence" }),
    source: z.enum(["chain", "node", "market"]).meta({ description: "Who says so" }),
    code: z.string().meta({ description: "A reason, or an event of the chain" }),
    message: z.string(),
    hint: hint.nullable(),
    replica: z.number().int().nullable(),
    lease: z.number().int().nullable(),
    nodeId: z.number().int().nullable(),
    details,
    count: z.number().int().meta({ description: "Occurrences; each moves the event to the end" }),
    firstTime: isoTime.meta({ description: "Time of the first occurrence" }),
    endedTime: isoTime
      .nullable()
      .meta({ description: "Time since when it is no longer so; null: it is, or it is of the chain" }),
    block: z.string().nullable(),
    txHash: z.string().nullable(),
    tier: tier.nullable().meta({ description: "Finality of an event of the chain" }),
  })
  .meta({ id: "WorkspaceEvent" });

export const eventList = z.object({
  events: z.array(workspaceEvent),
  next: nextPage,
  replacedAfter: z.string().nullable().meta({
    description:
      "Null, or a block: the chain has replaced later ones since `after`. Discard what you have of them; their events follow again",
  }),
});
