import type { Queryable } from "@ngpu/db/pool";
import { namesIn, secretLimits } from "@ngpu/protocol/secrets";
import { InputError } from "@ngpu/runtime/errors";
import { readSecrets } from "./store/secrets.ts";

type NamedSecrets = { env: readonly string[]; files: readonly string[] };

/** The secrets that a workspace names, encrypted, and the names that the wallet has not set. */
export async function readNamed(db: Queryable, wallet: string, named: NamedSecrets) {
  const names = namesIn(named);
  const stored = await readSecrets(db, wallet, names);
  const missing = names.filter((name) => !stored.some((one) => one.name === name));
  const bytes = stored.reduce((sum, one) => sum + one.bytes, 0);
  return { names, stored, missing, bytes, isTooLarge: bytes > secretLimits.workspaceBytes };
}

/**
 * Requires that a wallet has the secrets that a workspace names, so that a mistyped name costs no publication.
 *
 * @throws InputError `secret_not_found` (409) or `secrets_too_large` (409).
 */
export async function requireSecrets(
  db: Queryable,
  wallet: string,
  named: NamedSecrets | undefined,
): Promise<void> {
  if (named === undefined) return;
  const { missing, bytes, isTooLarge } = await readNamed(db, wallet, named);
  if (missing.length > 0) {
    throw new InputError(`You have no secret ${missing.join(", ")}.`, {
      code: "secret_not_found",
      status: 409,
      hint: "Set it first: POST /v1/secrets, or `ngpu secrets set`.",
      details: { missing },
    });
  }
  if (!isTooLarge) return;
  throw new InputError(`The secrets have ${bytes} bytes together.`, {
    code: "secrets_too_large",
    status: 409,
    hint: `A workspace gets at most ${secretLimits.workspaceBytes} bytes of secrets.`,
    details: { bytes, mostBytes: secretLimits.workspaceBytes },
  });
}
