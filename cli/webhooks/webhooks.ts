import type { Schema } from "@ngpu/api-client/client";
import type { InputOf } from "@ngpu/api-client/routes";
import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { minute, parseSeconds } from "../shared/units.ts";

export type EventTypes = NonNullable<InputOf<"POST /v1/webhooks">["body"]["events"]>;

const columns = [
  { title: "WEBHOOK" },
  { title: "URL", cut: true },
  { title: "EVENTS", cut: true },
  { title: "STATE" },
];

function stateOf({ disabledReason, failingSince }: Schema<"Webhook">): string {
  if (disabledReason !== null) return `disabled (${disabledReason})`;
  return failingSince === null ? "ok" : `failing since ${minute(failingSince)}`;
}

/** Lists the account's webhooks. */
export async function listWebhooks(options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const { webhooks } = await partnerApi(settings).call("GET /v1/webhooks", {});
  if (settings.json) return print(json(webhooks));
  const rows = webhooks.map((one) => [one.id, one.url, one.events?.join(" ") ?? "all", stateOf(one)]);
  print(table(columns, rows));
}

/** Creates a webhook and prints its secret. */
export async function createWebhook(
  url: string,
  options: GlobalOptions & { event?: EventTypes; description?: string },
): Promise<void> {
  const settings = settingsOf(options);
  const { event, description } = options;
  const body = {
    url,
    ...(event === undefined ? {} : { events: event }),
    ...(description === undefined ? {} : { description }),
  };
  const created = await partnerApi(settings).call("POST /v1/webhooks", { body });
  print(settings.json ? json(created) : created.secret);
  if (!settings.json) note(`This is the secret of webhook ${created.id}. It is shown only now.`);
}

/** Replaces a webhook's secret and prints the new one. */
export async function rotateWebhook(id: string, options: GlobalOptions & { overlap: string }): Promise<void> {
  const settings = settingsOf(options);
  const body = { overlapSeconds: parseSeconds(options.overlap) };
  const rotated = await partnerApi(settings).call("POST /v1/webhooks/{id}/rotate", { path: { id }, body });
  print(settings.json ? json(rotated) : rotated.secret);
  if (!settings.json)
    note(`Requests are also signed with the replaced secret until ${rotated.replacedUntil}.`);
}

export async function disableWebhook(id: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const changed = await partnerApi(settings).call("POST /v1/webhooks/{id}/disable", { path: { id } });
  print(settings.json ? json(changed) : `Webhook ${id} is disabled.`);
}

export async function enableWebhook(id: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const changed = await partnerApi(settings).call("POST /v1/webhooks/{id}/enable", { path: { id } });
  print(settings.json ? json(changed) : `Webhook ${id} is enabled.`);
}

export async function testWebhook(id: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const sent = await partnerApi(settings).call("POST /v1/webhooks/{id}/test", { path: { id } });
  print(settings.json ? json(sent) : sent.eventId);
  if (!settings.json) note(`ngpu webhooks deliveries ${id} shows what becomes of it.`);
}

/** Deletes webhooks. */
export async function deleteWebhooks(ids: string[], options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  for (const id of ids) {
    const deleted = await api.call("DELETE /v1/webhooks/{id}", { path: { id } });
    print(settings.json ? json(deleted) : `Webhook ${id} is deleted.`);
  }
}
