import type { InputOf } from "@ngpu/api-client/routes";
import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { minute, parseSeconds, parseTokens } from "../shared/units.ts";

type Scopes = NonNullable<NonNullable<InputOf<"POST /v1/keys">["body"]>["scopes"]>;
type CreateOptions = GlobalOptions & {
  scope?: Scopes;
  expires?: string;
  calls?: number;
  spend?: string;
};

const columns = [
  { title: "KEY" },
  { title: "NAME", cut: true },
  { title: "SCOPES", cut: true },
  { title: "CREATED" },
  { title: "LAST USED" },
  { title: "EXPIRES" },
];
const minuteOrNever = (time: string | null) => (time === null ? "never" : minute(time));

/** Lists the account's keys. */
export async function listKeys(options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const { keys } = await partnerApi(settings).call("GET /v1/keys", {});
  if (settings.json) return print(json(keys));
  const rows = keys.map((key) => [
    key.id,
    key.name,
    key.scopes?.join(" ") ?? "all",
    minute(key.createdAt),
    minuteOrNever(key.lastUsedAt),
    minuteOrNever(key.expiresAt),
  ]);
  print(table(columns, rows));
}

/** Creates a key and prints it. */
export async function createKey(name: string, given: CreateOptions): Promise<void> {
  const { scope, expires, calls, spend, ...options } = given;
  const settings = settingsOf(options);
  const until = expires === undefined ? undefined : new Date(Date.now() + parseSeconds(expires) * 1000);
  const body = {
    name,
    ...(scope === undefined ? {} : { scopes: scope }),
    ...(until === undefined ? {} : { expiresAt: until.toISOString() }),
    ...(calls === undefined ? {} : { ratePerMinute: calls }),
    ...(spend === undefined ? {} : { spendPerDay: String(parseTokens(spend)) }),
  };
  const created = await partnerApi(settings).call("POST /v1/keys", { body });
  print(settings.json ? json(created) : created.apiKey);
  if (!settings.json) note(`Key ${created.id} (${created.name}) is shown only now.`);
}

/** Replaces a key and prints the new one. */
export async function rotateKey(id: string, options: GlobalOptions & { overlap: string }): Promise<void> {
  const settings = settingsOf(options);
  const body = { overlapSeconds: parseSeconds(options.overlap) };
  const rotated = await partnerApi(settings).call("POST /v1/keys/{id}/rotate", { path: { id }, body });
  print(settings.json ? json(rotated) : rotated.apiKey);
  if (!settings.json)
    note(`Key ${rotated.id} replaces ${id}, which is accepted until ${rotated.acceptedUntil}.`);
}

/** Revokes keys. */
export async function revokeKeys(ids: string[], options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  for (const id of ids) {
    const revoked = await api.call("DELETE /v1/keys/{id}", { path: { id } });
    print(settings.json ? json(revoked) : `Key ${id} is revoked.`);
  }
}
