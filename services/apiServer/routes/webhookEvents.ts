import { randomUUID } from "node:crypto";
import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { rest } from "@ngpu/runtime/loop";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { nextAfter } from "../paging.ts";
import {
  deliveryList,
  deliveryPage,
  eventList,
  eventPage,
  replayAnswer,
  replayRequest,
  type webhookEvent,
} from "../schemas/webhooks.ts";
import {
  type DeliveryRow,
  insertTestEvent,
  lastPosition,
  listDeliveries,
  listEvents,
  replayOne,
  replaySince,
} from "../store/webhookDeliveries.ts";
import { keepAudience } from "../store/webhooks.ts";
import { requireWebhook, webhookParams } from "./webhooks.ts";

export function webhookEventRoutes(deps: ApiDeps): Endpoint[] {
  return [showDeliveries(deps), replay(deps), sendTest(deps), showEvents(deps)];
}

const showDeliveries = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/webhooks/:id/deliveries",
      tag: "Webhooks",
      summary: "List a webhook's deliveries with their attempts, newest first",
      description: "Deliveries are kept for 30 days.",
      access: "partner",
      params: webhookParams,
      query: deliveryPage,
      answer: deliveryList,
    },
    async ({ partner, params: { id }, query: { limit, after, status } }) => {
      await requireWebhook({ db }, partner.wallet, id);
      const rows = await listDeliveries(db, id, { limit, after, status });
      return { deliveries: rows.map(deliveryOf), next: nextAfter(rows, limit, (row) => String(row.id)) };
    },
  );

const replay = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/webhooks/:id/replay",
      tag: "Webhooks",
      summary: "Send events again",
      description:
        "One event, or all since a time, whatever became of their deliveries. The ids of the events stay the same. Events are kept for 30 days; those that are still being sent are not sent twice.",
      access: "partner",
      params: webhookParams,
      body: replayRequest,
      status: 202,
      answer: replayAnswer,
    },
    async ({ partner: { wallet }, params: { id }, body: { eventId, since } }) => {
      await requireWebhook({ db }, wallet, id);
      if (eventId === undefined) {
        const replayed = await replaySince(db, { wallet, endpointId: id, since: new Date(since ?? 0) });
        return { replayed };
      }
      const replayed = await replayOne(db, { wallet, endpointId: id, eventId });
      if (replayed === undefined) throw unknownEvent(eventId);
      return { replayed };
    },
  );

const sendTest = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/webhooks/:id/test",
      tag: "Webhooks",
      summary: "Send an event to test a webhook",
      access: "partner",
      params: webhookParams,
      status: 202,
      answer: z.object({ eventId: z.string() }),
    },
    async ({ partner: { wallet }, params: { id } }) => {
      await requireWebhook({ db }, wallet, id);
      const eventId = randomUUID();
      const type = "webhook.test";
      const timestamp = new Date().toISOString();
      const body = toJson({ id: eventId, type, timestamp, data: { webhook: { id } } });
      await insertTestEvent(db, { id: eventId, wallet, type, body, endpointId: id });
      return { eventId };
    },
  );

/** Minutes for which events are recorded after they were asked for. */
const audienceMinutes = 10;
/** Milliseconds between two polls for events. */
const lookPause = 500;

const showEvents = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/webhook-events",
      tag: "Webhooks",
      summary: "Read events as webhooks receive them",
      description:
        "For programs that cannot be reached, such as those under development: call it with `wait`, then again with `next` as `after`. Events are recorded while the account has a webhook, and for ten minutes after this call.",
      access: "partner",
      query: eventPage,
      answer: eventList,
    },
    async ({ partner: { wallet }, query: { limit, after, wait }, disconnected }) => {
      await keepAudience(db, wallet, audienceMinutes);
      const from = after === undefined ? await lastPosition(db, wallet) : BigInt(after);
      const deadline = performance.now() + 1000 * wait;
      for (;;) {
        const rows = await listEvents(db, wallet, from, limit);
        if (rows.length > 0 || disconnected.aborted || performance.now() >= deadline) {
          const events = rows.map(({ body }) => JSON.parse(body) as z.input<typeof webhookEvent>);
          return { events, next: String(rows.at(-1)?.position ?? from) };
        }
        await rest(lookPause, disconnected);
      }
    },
  );

function deliveryOf(row: DeliveryRow) {
  return {
    eventId: row.event_id,
    type: row.type,
    status: row.status,
    createdAt: row.created_at.toISOString(),
    nextAttemptAt: row.status === "pending" ? row.next_at.toISOString() : null,
    attempts: row.attempts.map((one) => ({ ...one, at: new Date(one.at).toISOString() })),
  };
}

function unknownEvent(id: string): InputError {
  return new InputError(`You have no event ${id}.`, {
    code: "webhook_event_not_found",
    hint: "GET /v1/webhooks/{id}/deliveries lists the events of the last 30 days.",
    status: 404,
  });
}
