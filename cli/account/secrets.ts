import { buffer } from "node:stream/consumers";
import { InputError } from "@ngpu/runtime/errors";
import { readBytes } from "../shared/files.ts";
import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { minute } from "../shared/units.ts";

type SetOptions = GlobalOptions & { file?: string };
type NewSecret = { name: string; value: string } | { name: string; base64: string };

const columns = [
  { title: "SECRET", cut: true },
  { title: "BYTES", right: true },
  { title: "VERSION", right: true },
  { title: "SET" },
];

/** Lists the names of the account's secrets. */
export async function listSecrets(options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const { secrets } = await partnerApi(settings).call("GET /v1/secrets", {});
  if (settings.json) return print(json(secrets));
  const rows = secrets.map(({ name, bytes, version, updatedAt }) => [
    name,
    String(bytes),
    String(version),
    minute(updatedAt),
  ]);
  print(table(columns, rows));
}

/**
 * Sets secrets: `NAME=value`; `NAME` reads the value from --file or standard input.
 *
 * @throws InputError `option_invalid`, `file_unreadable`; the errors of the API.
 */
export async function setSecrets(given: string[], options: SetOptions): Promise<void> {
  const settings = settingsOf(options);
  const secrets = await secretsOf(given, options.file);
  const answer = await partnerApi(settings).call("POST /v1/secrets", { body: { secrets } });
  if (settings.json) return print(json(answer.secrets));
  for (const { name, version } of answer.secrets) print(`Secret ${name} is set (version ${version}).`);
  if (answer.secrets.some(({ version }) => version > 1))
    note(
      "Containers that run keep the earlier value: ngpu update <workspace> --renew-secrets replaces them.",
    );
}

/** Deletes secrets. */
export async function deleteSecrets(names: string[], options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  for (const name of names) {
    const deleted = await api.call("DELETE /v1/secrets/{name}", { path: { name } });
    print(settings.json ? json(deleted) : `Secret ${name} is deleted.`);
  }
}

async function secretsOf(given: readonly string[], file: string | undefined): Promise<NewSecret[]> {
  const [first = ""] = given;
  if (given.length === 1 && !first.includes("=")) {
    const bytes = file === undefined ? await input() : readBytes(file);
    return [{ name: first, base64: bytes.toString("base64") }];
  }
  if (file !== undefined)
    throw invalid("--file sets one secret.", "Pass its name alone: NAME --file <path>.");
  return given.map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return { name: text.slice(0, at), value: text.slice(at + 1) };
    // The text may be a secret: it is not repeated.
    throw invalid(
      "An argument is not NAME=value.",
      "Write NAME=value, or one NAME with the value on standard input.",
    );
  });
}

/** The value from standard input, without the line break that ends it. */
async function input(): Promise<Buffer> {
  if (process.stdin.isTTY) note("Type the value, then Enter and Ctrl+D.");
  const bytes = await buffer(process.stdin);
  const end = bytes.at(-1) === 10 ? (bytes.at(-2) === 13 ? 2 : 1) : 0;
  return bytes.subarray(0, bytes.length - end);
}

const invalid = (message: string, hint: string) => new InputError(message, { code: "option_invalid", hint });
