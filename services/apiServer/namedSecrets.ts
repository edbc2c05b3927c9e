import type { Queryable } from "@ngpu/db/pool";
import { namesIn, secretLimits } from "@ngpu/protocol/secrets";
import { InputError } from "@ngpu/runtime/errors";
import { readSecrets } from "./store/secrets.ts";

/**
 * Requires that a wallet has the secrets that a workspace names, so that a mistyped name costs no publication.
 *
 * @throws InputError `secret_not_found` (409) or `secrets_too_large` (409).
 */
export async function requireSecrets(
  db: Queryable,
  wallet: string,
  named: { env: readonly string[]; files: readonly string[] } | undefined,
): Promise<void> {
  if (named === undefined) return;
  const names = namesIn(named);
  const stored = await readSecrets(db, wallet, names);
  const missing = names.filter((name) => !stored.some((one) => one.name === name));
  if (missing.length > 0) {
    throw new InputError(`You have no secret ${missing.join(", ")}.`, {
      code: "secret_not_found",
      status: 409,
      hint: "Set it first: POST /v1/secrets, or `ngpu secrets set`.",
      details: { missing },
    });
  }
  const bytes = stored.reduce((sum, one) => sum + one.bytes, 0);
  if (bytes <= secretLimits.workspaceBytes) return;
  throw new InputError(`The secrets have ${bytes} bytes together.`, {
    code: "secrets_too_large",
    status: 409,
    hint: `A workspace gets at most ${secretLimits.workspaceBytes} bytes of secrets.`,
    details: { bytes, mostBytes: secretLimits.workspaceBytes },
  });
}
