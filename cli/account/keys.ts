import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";

const columns = [
  { title: "KEY" },
  { title: "NAME", cut: true },
  { title: "CREATED" },
  { title: "LAST USED" },
];
const day = (time: string) => time.slice(0, 16).replace("T", " ");

/** Lists the account's keys. */
export async function listKeys(options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const { keys } = await partnerApi(settings).call("GET /v1/keys", {});
  if (settings.json) return print(json(keys));
  const used = (time: string | null) => (time === null ? "never" : day(time));
  print(
    table(
      columns,
      keys.map((key) => [key.id, key.name, day(key.createdAt), used(key.lastUsedAt)]),
    ),
  );
}

/** Creates a key and prints it. */
export async function createKey(name: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const created = await partnerApi(settings).call("POST /v1/keys", { body: { name } });
  print(settings.json ? json(created) : created.apiKey);
  if (!settings.json) note(`Key ${created.id} (${created.name}) is shown only now.`);
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
