import { createHash, createHmac } from "node:crypto";
import { FatalError } from "@ngpu/runtime/errors";

/** Types of the events of webhooks, with what each says. */
export const webhookEvents = {
  "task.succeeded": "A task's container answered with a status of 2xx.",
  "task.failed": "A task failed: its container answered with another status, or none answered.",
  "task.cut": "The response of a task's container broke off before its end.",
  "task.cancelled": "A task was cancelled.",
  "task.aborted": "The client of a task disconnected before its end.",
  "batch.completed": "Each request of a batch has ended.",
  "batch.failed": "The input of a batch has faults, and none of its requests was run.",
  "batch.expired": "The completion window of a batch ended before all of its requests.",
  "batch.cancelled": "A batch was cancelled.",
  "replica.running": "A node reported that a replica runs.",
  "replica.stopped": "A node reported that a replica has stopped.",
  "replica.failed": "A node reported that a replica has failed.",
  "replica.blocked": "A replica does not run, for the reason in `data.replica.code`.",
  "replica.lost": "The node of a replica was marked as lost.",
  "workspace.closed": "A workspace was closed.",
  "webhook.test": "The partner asked for an event to test an endpoint.",
} as const;

export type WebhookEventType = keyof typeof webhookEvents;
export const webhookEventTypes = Object.keys(webhookEvents) as [WebhookEventType, ...WebhookEventType[]];

/** An event as its requests carry it. */
export type WebhookEvent = {
  id: string;
  type: WebhookEventType;
  /** ISO 8601. */
  timestamp: string;
  data: Record<string, unknown>;
};

/** Days that events and their deliveries are kept. */
export const keptDays = 30;
/** Hours that a delivery is retried. */
export const retryHours = 72;

/** A version of an endpoint's secret, as Postgres has it: without the secret. */
export type SecretVersion = { endpointId: string; version: number; keyId: string };

/** The secrets of endpoints, which are derived from keys that Postgres does not have. */
export type WebhookSecrets = {
  /** The key from which new secrets are derived. */
  newestKeyId: string;
  knows(keyId: string): boolean;
  /** The secret as Standard Webhooks writes it: `whsec_` and base64. @throws FatalError `webhook_key_missing` */
  secretOf(version: SecretVersion): string;
};

/** @param keys Newest first. The earlier ones are needed until the secrets derived from them have been rotated. */
export function createWebhookSecrets(keys: readonly [string, ...string[]]): WebhookSecrets {
  const byId = new Map(keys.map((key) => [idOf(key), key]));
  return {
    newestKeyId: idOf(keys[0]),
    knows: (keyId) => byId.has(keyId),
    secretOf: ({ endpointId, version, keyId }) => {
      const key = byId.get(keyId);
      if (key === undefined) throw keyMissing(keyId);
      const secret = createHmac("sha256", key)
        .update(`ngpu webhook secret ${endpointId} ${version}`)
        .digest();
      return `whsec_${secret.toString("base64")}`;
    },
  };
}

const idOf = (key: string) =>
  createHash("sha256").update(`ngpu webhook key ${key}`).digest("hex").slice(0, 8);

function keyMissing(keyId: string): FatalError {
  return new FatalError(`WEBHOOK_KEYS lacks the key ${keyId}, from which secrets of webhooks are derived.`, {
    code: "webhook_key_missing",
    hint: "Append the earlier keys to WEBHOOK_KEYS, until their secrets have been rotated.",
    details: { keyId },
  });
}
