import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { createKey, type Partner } from "../access.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { requireUnlimited } from "../keyLimits.ts";
import { scopesWithin } from "../roles.ts";
import { keyList, keyRotation, keyRotationAnswer, newKey, newKeyAnswer } from "../schemas/keys.ts";
import { requireScopes } from "../scopes.ts";
import { insertKey, listKeys, revokeKey, rotateKey } from "../store/keys.ts";

const params = z.object({ id: z.string().regex(/^[0-9a-f]{16}$/, "is not a key id") });

export function keyRoutes(deps: ApiDeps): Endpoint[] {
  return [keys(deps), addKey(deps), rotation(deps), removeKey(deps)];
}

const keys = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/keys",
      tag: "Accounts",
      summary: "List the account's API keys",
      description: "Owners see those of all members, others their own.",
      access: "partner",
      answer: keyList,
    },
    async ({ partner }) => ({
      keys: (await listKeys(db, partner.wallet, holderFor(partner))).map((row) => ({
        id: row.id,
        member: row.member,
        name: row.name,
        scopes: row.scopes,
        createdAt: row.created_at.toISOString(),
        lastUsedAt: row.last_used_at?.toISOString() ?? null,
        expiresAt: row.expires_at?.toISOString() ?? null,
        ratePerMinute: row.rate_per_minute,
        spendPerDay: row.spend_per_day === null ? null : String(row.spend_per_day),
        spentToday: String(row.spent_today),
      })),
    }),
  );

/** Owners see and revoke the keys of all members. */
const holderFor = ({ role, member }: Partner) => (role === "owner" ? null : member);

const addKey = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/keys",
      tag: "Accounts",
      summary: "Create another API key",
      description:
        "The new key is held by who holds this one. A key creates keys with at most its own scopes, which expire no later than itself. A key with a limit of calls or spending creates none.",
      access: "partner",
      body: newKey,
      status: 201,
      answer: newKeyAnswer,
    },
    async ({ partner, body }) => {
      requireUnlimited(partner);
      const key = createKey();
      const scopes = body.scopes ?? (partner.scopes && [...partner.scopes]);
      // Without scopes of its own it may do what the role of its holder allows.
      if (scopes !== null) requireScopes(scopesWithin(partner), scopes);
      const expiresAt = earliest(partner.expiresAt, expiryIn(body.expiresAt));
      const { name, ratePerMinute = null, spendPerDay = null } = body;
      const limits = { ratePerMinute, spendPerDay };
      const { wallet, member } = partner;
      await insertKey(db, { ...key, wallet, member, name, scopes, expiresAt, ...limits });
      const shown = {
        expiresAt: expiresAt?.toISOString() ?? null,
        ratePerMinute,
        spendPerDay: spendPerDay === null ? null : String(spendPerDay),
      };
      return { id: key.id, name, apiKey: key.text, scopes, ...shown };
    },
  );

/** @throws InputError `expiry_in_past`. */
function expiryIn(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const expiresAt = new Date(text);
  if (expiresAt > new Date()) return expiresAt;
  throw new InputError("The key would have expired already.", {
    code: "expiry_in_past",
    hint: "Choose a later expiresAt.",
  });
}

/** The earlier of two expiries; null: never. */
function earliest(one: Date | null, other: Date | null): Date | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}

const rotation = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/keys/:id/rotate",
      tag: "Accounts",
      summary: "Replace an API key by a new one",
      description:
        "The new key has the same name, scopes, expiry and limits, and what the replaced one has spent counts for it. The replaced key is accepted for the overlap, so that programs can change over. A key cannot rotate one of another member or with more scopes, and the new key expires no later than the key that rotates.",
      access: "partner",
      params,
      body: keyRotation,
      status: 201,
      answer: keyRotationAnswer,
    },
    async ({ partner, params: { id }, body: { overlapSeconds } }) => {
      if (id !== partner.keyId) requireUnlimited(partner);
      const key = createKey();
      const { wallet, member } = partner;
      const of = { wallet, member, id, overlapSeconds };
      const rotated = await rotateKey(db, of, ({ name, scopes, expiresAt }) => {
        requireScopes(partner.scopes, scopes);
        return {
          ...key,
          wallet,
          member,
          name,
          scopes,
          expiresAt: earliest(partner.expiresAt, expiresAt),
        };
      });
      if (rotated === undefined) throw unknownKey(id);
      const { name, acceptedUntil } = rotated;
      return { id: key.id, name, apiKey: key.text, replaced: id, acceptedUntil: acceptedUntil.toISOString() };
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
      params,
      answer: z.object({ id: z.string(), revoked: z.literal(true) }),
    },
    async ({ partner, params }) => {
      const of = { wallet: partner.wallet, id: params.id, holder: holderFor(partner) };
      if (await revokeKey(db, of)) return { id: params.id, revoked: true as const };
      throw unknownKey(params.id);
    },
  );

function unknownKey(id: string): InputError {
  return new InputError(`You have no key ${id}.`, {
    code: "api_key_not_found",
    hint: "GET /v1/keys lists your keys.",
    status: 404,
  });
}
