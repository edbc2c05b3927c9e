import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { createKey } from "../access.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { keyList, newKey, newKeyAnswer } from "../schemas/accounts.ts";
import { insertKey, listKeys, revokeKey } from "../store/keys.ts";

export function keyRoutes(deps: ApiDeps): Endpoint[] {
  return [keys(deps), addKey(deps), removeKey(deps)];
}

const keys = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/keys",
      tag: "Accounts",
      summary: "List the account's API keys",
      access: "partner",
      answer: keyList,
    },
    async ({ partner }) => ({
      keys: (await listKeys(db, partner.wallet)).map((row) => ({
        id: row.id,
        name: row.name,
        createdAt: row.created_at.toISOString(),
        lastUsedAt: row.last_used_at?.toISOString() ?? null,
      })),
    }),
  );

const addKey = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/keys",
      tag: "Accounts",
      summary: "Create another API key",
      access: "partner",
      body: newKey,
      status: 201,
      answer: newKeyAnswer,
    },
    async ({ partner, body }) => {
      const key = createKey();
      await insertKey(db, { ...key, wallet: partner.wallet, name: body.name });
      return { id: key.id, name: body.name, apiKey: key.text };
    },
  );

const removeKey = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "delete",
      path: "/v1/keys/:id",
      tag: "Accounts",
      summary: "Revoke an API key",
      access: "partner",
      params: z.object({ id: z.string().regex(/^[0-9a-f]{16}$/, "is not a key id") }),
      answer: z.object({ id: z.string(), revoked: z.literal(true) }),
    },
    async ({ partner, params }) => {
      if (await revokeKey(db, partner.wallet, params.id)) return { id: params.id, revoked: true as const };
      throw new InputError(`You have no key ${params.id}.`, {
        code: "api_key_not_found",
        hint: "GET /v1/keys lists your keys.",
        status: 404,
      });
    },
  );
