import { secretLimits, secretName } from "@ngpu/protocol/secrets";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { newSecrets, secretList } from "../schemas/secrets.ts";
import { deleteSecret, listSecrets, putSecrets, type SecretRow } from "../store/secrets.ts";

export function secretRoutes(deps: ApiDeps): Endpoint[] {
  return [list(deps), set(deps), remove(deps)];
}

const list = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/secrets",
      tag: "Secrets",
      summary: "List your secrets without their values",
      description: "No call returns a value.",
      access: "partner",
      answer: secretList,
    },
    async ({ partner }) => ({ secrets: (await listSecrets(db, partner.wallet)).map(shown) }),
  );

const set = ({ db, vault }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/secrets",
      tag: "Secrets",
      summary: "Set secrets",
      description:
        "Sets all of them or none. A workspace gets those that its `secrets` name, as variables of the environment or as files below /run/secrets. The API stores them encrypted. Only the node with the highest lease of a replica gets them, sealed for a key that it made for this lease. Containers that run keep the value that they started with: `renewSecrets` of an update replaces them.",
      access: "partner",
      body: newSecrets,
      errors: [409],
      answer: secretList,
    },
    async ({ partner: { wallet }, body }) => {
      const sealed = body.secrets.map(({ name, value, base64 }) => {
        const bytes = value === undefined ? Buffer.from(base64 ?? "", "base64") : Buffer.from(value);
        requireLength(name, bytes);
        return {
          name,
          sealed: vault.seal({ wallet, name }, bytes),
          keyId: vault.newestKeyId,
          bytes: bytes.length,
        };
      });
      const stored = await putSecrets(db, wallet, sealed, secretLimits.perWallet);
      if (stored !== undefined) return { secrets: stored.map(shown) };
      throw new InputError(`A wallet has at most ${secretLimits.perWallet} secrets.`, {
        code: "secret_limit_reached",
        status: 409,
        hint: "Delete some: GET /v1/secrets lists them.",
      });
    },
  );

const remove = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "delete",
      path: "/v1/secrets/:name",
      tag: "Secrets",
      summary: "Delete a secret",
      description:
        "Containers that run keep it until they end. A replica of a workspace that names it does not start again without it.",
      access: "partner",
      params: z.object({ name: secretName }),
      answer: z.object({ name: z.string(), deleted: z.literal(true) }),
    },
    async ({ partner, params: { name } }) => {
      if (await deleteSecret(db, partner.wallet, name)) return { name, deleted: true as const };
      throw new InputError(`You have no secret ${name}.`, {
        code: "secret_not_found",
        hint: "GET /v1/secrets lists your secrets.",
        status: 404,
      });
    },
  );

/** @throws InputError `request_invalid`. The text in base64 may stand for a byte or two more than are allowed. */
function requireLength(name: string, { length }: Buffer): void {
  if (length <= secretLimits.value) return;
  throw new InputError(`The secret ${name} has ${length} bytes.`, {
    code: "request_invalid",
    hint: `A secret has at most ${secretLimits.value} bytes. Put larger files into the image, encrypted.`,
  });
}

const shown = ({ name, bytes, version, created_at, updated_at }: SecretRow) => ({
  name,
  bytes,
  version,
  createdAt: created_at.toISOString(),
  updatedAt: updated_at.toISOString(),
});
