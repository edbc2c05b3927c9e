import { webhookEvents, webhookEventTypes } from "@ngpu/protocol/webhooks";
import { z } from "zod";
import { isoTime, nextPage, text } from "./common.ts";

const eventType = z.enum(webhookEventTypes).meta({
  id: "WebhookEventType",
  description: Object.entries(webhookEvents)
    .map(([type, says]) => `\`${type}\`: ${says}`)
    .join("\n\n"),
});

export const newWebhook = z
  .strictObject({
    url: text(1, 2_000).meta({
      description: "Where events are sent: an https URL at a public address",
      example: "https://partner.example/ngpu",
    }),
    events: z
      .array(eventType)
      .min(1)
      .transform((types) => [...new Set(types)])
      .optional()
      .meta({ description: "Types of the events that are sent; default: all" }),
    description: text(0, 200).default(""),
  })
  .meta({ id: "NewWebhook" });

const fields = {
  id: z.string(),
  url: z.string(),
  description: z.string(),
  events: z.array(eventType).nullable().meta({ description: "Types of the events that are sent; null: all" }),
  createdAt: isoTime,
  disabledAt: isoTime
    .nullable()
    .meta({ description: "Since when nothing is sent; null: it is not disabled" }),
  disabledReason: z.enum(["partner", "gone", "failing"]).nullable().meta({
    description: "`gone`: it answered 410; `failing`: every attempt of 72 hours failed",
  }),
  failingSince: isoTime.nullable().meta({ description: "First failure since the last success; null: none" }),
};

export const webhookAnswer = z.object(fields).meta({ id: "Webhook" });
export const webhookList = z.object({ webhooks: z.array(webhookAnswer) });

const secret = z.string().meta({
  description: "Secret of the signatures, for a library of Standard Webhooks. It is shown only now",
  example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
});
export const newWebhookAnswer = z.object({ ...fields, secret }).meta({ id: "CreatedWebhook" });

export const webhookRotation = z.strictObject({
  overlapSeconds: z
    .number()
    .int()
    .min(0)
    .max(30 * 86_400)
    .default(86_400)
    .meta({ description: "How long requests are also signed with the replaced secret" }),
});
export const webhookRotationAnswer = z.object({
  id: z.string(),
  secret,
  replacedUntil: isoTime.meta({
    description: "Until when requests are also signed with the replaced secret",
  }),
});

export const webhookDeleted = z.object({ id: z.string(), deleted: z.literal(true) });

export const replayRequest = z
  .strictObject({
    eventId: z.uuid().optional().meta({ description: "This event" }),
    since: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: "All events since this time that the webhook receives" }),
  })
  .refine(
    ({ eventId, since }) => (eventId === undefined) !== (since === undefined),
    "needs either eventId or since",
  );
export const replayAnswer = z.object({
  replayed: z.number().int().meta({ description: "Number of events that are sent again" }),
});

const attempt = z.object({
  at: isoTime,
  ms: z.number().int(),
  httpStatus: z
    .number()
    .int()
    .nullable()
    .meta({ description: "The response's status; null: there was none" }),
  error: z.string().nullable().meta({
    description:
      "`status_not_2xx`, `redirected`, `timeout`, `connection_failed`, `host_not_public` or `host_unresolved`; null: it succeeded",
  }),
});

const delivery = z
  .object({
    eventId: z.string().meta({ description: "Also the header `webhook-id` of its requests" }),
    type: eventType,
    status: z.enum(["pending", "delivered", "failed"]),
    createdAt: isoTime,
    nextAttemptAt: isoTime.nullable().meta({ description: "When it is tried again; null: it has ended" }),
    attempts: z.array(attempt).meta({ description: "The last 20 attempts, oldest first" }),
  })
  .meta({ id: "WebhookDelivery" });
export const deliveryList = z.object({ deliveries: z.array(delivery), next: nextPage });

export const deliveryPage = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional()
    .meta({ description: "`next` of the previous page" }),
  status: z.enum(["pending", "delivered", "failed"]).optional(),
});

export const webhookEvent = z
  .object({
    id: z.string().meta({ description: "The same in all requests for this event: ignore those that repeat" }),
    type: eventType,
    timestamp: isoTime,
    data: z.record(z.string(), z.unknown()).meta({
      description:
        "`task` without its result, `batch` and its `id`, `replica`, `workspace` or `webhook`, by the type",
    }),
  })
  .meta({ id: "WebhookEvent", description: "The body of a webhook's request" });

export const eventPage = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z
    .string()
    .regex(/^\d{1,18}$/)
    .optional()
    .meta({ description: "Return events after this place (`next` of the previous page); default: new ones" }),
  wait: z.coerce
    .number()
    .int()
    .min(0)
    .max(30)
    .default(0)
    .meta({ description: "Seconds to wait for an event if there is none" }),
});
export const eventList = z.object({
  events: z.array(webhookEvent),
  next: z.string().meta({ description: "Value of `after` for the events that follow" }),
});
