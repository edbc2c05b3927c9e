import { randomUUID } from "node:crypto";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import {
  newWebhook,
  newWebhookAnswer,
  webhookAnswer,
  webhookDeleted,
  webhookList,
  webhookRotation,
  webhookRotationAnswer,
} from "../schemas/webhooks.ts";
import {
  deleteWebhook,
  findWebhook,
  insertWebhook,
  listWebhooks,
  rotateSecret,
  setDisabled,
  type WebhookRow,
} from "../store/webhooks.ts";
import { requireWebhookUrl } from "../webhookUrl.ts";

/** Webhooks that an account may have. */
const mostWebhooks = 20;

export const webhookParams = z.object({ id: z.uuid() });

export function webhookRoutes(deps: ApiDeps): Endpoint[] {
  return [
    addWebhook(deps),
    showWebhooks(deps),
    showWebhook(deps),
    rotateWebhook(deps),
    switchWebhook(deps, "disable"),
    switchWebhook(deps, "enable"),
    removeWebhook(deps),
  ];
}

const addWebhook = ({ db, privateAddresses, webhookSecrets }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/webhooks",
      tag: "Webhooks",
      summary: "Create a webhook",
      description:
        "Events are sent as POST requests with the document WebhookEvent as the body. They are signed by Standard Webhooks (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`), so its libraries verify them. Another answer than 2xx within 15 seconds is a failure: the event is sent again with growing pauses, for 72 hours. Redirects are not followed. The order is not fixed, and an event may be sent twice.",
      access: "partner",
      body: newWebhook,
      status: 201,
      errors: [409],
      answer: newWebhookAnswer,
    },
    async ({ partner, body }) => {
      const url = await requireWebhookUrl(body.url, privateAddresses);
      const { newestKeyId: keyId } = webhookSecrets;
      const { description, events = null } = body;
      const webhook = { id: randomUUID(), wallet: partner.wallet, url, description, events, keyId };
      const row = await insertWebhook(db, webhook, mostWebhooks);
      if (row === undefined) throw limitReached();
      const secret = webhookSecrets.secretOf({ endpointId: row.id, version: 1, keyId });
      return { ...webhookOf(row), secret };
    },
  );

const showWebhooks = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/webhooks",
      tag: "Webhooks",
      summary: "List your webhooks",
      access: "partner",
      answer: webhookList,
    },
    async ({ partner }) => ({ webhooks: (await listWebhooks(db, partner.wallet)).map(webhookOf) }),
  );

const showWebhook = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/webhooks/:id",
      tag: "Webhooks",
      summary: "Show a webhook",
      access: "partner",
      params: webhookParams,
      answer: webhookAnswer,
    },
    async ({ partner, params }) => webhookOf(await requireWebhook({ db }, partner.wallet, params.id)),
  );

const rotateWebhook = ({ db, webhookSecrets }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/webhooks/:id/rotate",
      tag: "Webhooks",
      summary: "Replace a webhook's secret",
      description:
        "For the overlap, requests have two signatures: with the replaced secret and with the new one.",
      access: "partner",
      params: webhookParams,
      body: webhookRotation,
      status: 201,
      answer: webhookRotationAnswer,
    },
    async ({ partner, params: { id }, body: { overlapSeconds } }) => {
      const { newestKeyId: keyId } = webhookSecrets;
      const rotated = await rotateSecret(db, { wallet: partner.wallet, id, overlapSeconds, keyId });
      if (rotated === undefined) throw unknownWebhook(id);
      const { version, replacedUntil } = rotated;
      const secret = webhookSecrets.secretOf({ endpointId: id, version, keyId });
      return { id, secret, replacedUntil: replacedUntil.toISOString() };
    },
  );

const descriptions = {
  disable: "Nothing is sent any more. What is waiting to be sent is sent if it is enabled before it expires.",
  enable: "Events are sent again. Those of the meantime are sent with POST /v1/webhooks/{id}/replay.",
};

const switchWebhook = ({ db }: ApiDeps, how: "disable" | "enable") =>
  endpoint(
    {
      method: "post",
      path: `/v1/webhooks/:id/${how}`,
      tag: "Webhooks",
      summary: how === "disable" ? "Disable a webhook" : "Enable a webhook",
      description: descriptions[how],
      access: "partner",
      params: webhookParams,
      answer: webhookAnswer,
    },
    async ({ partner, params: { id } }) => {
      const row = await setDisabled(db, { wallet: partner.wallet, id }, how === "disable");
      if (row === undefined) throw unknownWebhook(id);
      return webhookOf(row);
    },
  );

const removeWebhook = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "delete",
      path: "/v1/webhooks/:id",
      tag: "Webhooks",
      summary: "Delete a webhook with its deliveries",
      access: "partner",
      params: webhookParams,
      answer: webhookDeleted,
    },
    async ({ partner, params: { id } }) => {
      if (await deleteWebhook(db, partner.wallet, id)) return { id, deleted: true as const };
      throw unknownWebhook(id);
    },
  );

/** @throws InputError `webhook_not_found` (404). */
export async function requireWebhook(
  { db }: Pick<ApiDeps, "db">,
  wallet: string,
  id: string,
): Promise<WebhookRow> {
  const row = await findWebhook(db, wallet, id);
  if (row === undefined) throw unknownWebhook(id);
  return row;
}

function webhookOf(row: WebhookRow) {
  return {
    id: row.id,
    url: row.url,
    description: row.description,
    events: row.events,
    createdAt: row.created_at.toISOString(),
    disabledAt: row.disabled_at?.toISOString() ?? null,
    disabledReason: row.disabled_reason,
    failingSince: row.failing_since?.toISOString() ?? null,
  };
}

function unknownWebhook(id: string): InputError {
  return new InputError(`You have no webhook ${id}.`, {
    code: "webhook_not_found",
    hint: "GET /v1/webhooks lists your webhooks.",
    status: 404,
  });
}

function limitReached(): InputError {
  return new InputError(`An account has at most ${mostWebhooks} webhooks.`, {
    code: "webhook_limit_reached",
    hint: "Delete one that is not used. One webhook may receive several types of events.",
    status: 409,
  });
}
