import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Queryable } from "@ngpu/db/pool";
import { execKeyProtocol } from "@ngpu/protocol/exec";
import { InputError } from "@ngpu/runtime/errors";
import type { HotCache } from "@ngpu/runtime/hotCache";
import type { RequestHandler, Response } from "express";
import type { Address } from "viem";
import type { Role } from "./roles.ts";
import type { Scope } from "./scopes.ts";
import { type KeyTerms, markKeyUsed } from "./store/keys.ts";

/** The caller, identified by its API key. */
export type Partner = {
  /** The account, by its own wallet. */
  wallet: Address;
  /** Who holds the key: the account's own wallet, or a member's. */
  member: Address;
  role: Role;
  keyId: string;
  /** What the key may do; null: everything. */
  scopes: readonly Scope[] | null;
  /** Null: never. */
  expiresAt: Date | null;
  /** Calls a minute; null: the API's own limit. */
  ratePerMinute: number | null;
  /** Token units; null: any amount. */
  spendPerDay: bigint | null;
  /** The first of the keys that were rotated into this one; they share their limits. */
  limitKeyId: string;
};

/** Keys whose last use is remembered, at most. */
const mostMarked = 10_000;

const invitationPattern = /^ngpui_([0-9a-f]{16})_([0-9a-f]{64})$/;
const keyPattern = /^ngpu_([0-9a-f]{16})_([0-9a-f]{64})$/;

/** Creates an API key. The text is shown once; only the id and the hash of its secret are stored. */
export function createKey(): { id: string; text: string; secretHash: Buffer } {
  const id = randomBytes(8).toString("hex");
  const secret = randomBytes(32).toString("hex");
  return { id, text: `ngpu_${id}_${secret}`, secretHash: hashSecret(secret) };
}

/** Creates an invitation. Only the hash of its secret is stored. */
export function createInvitation(): { id: string; text: string; secretHash: Buffer } {
  const { id, text, secretHash } = createKey();
  return { id, text: text.replace("ngpu_", "ngpui_"), secretHash };
}

/** Undefined: it is not the text of an invitation. */
export function parseInvitation(text: string): { id: string; secretHash: Buffer } | undefined {
  const [, id, secret] = invitationPattern.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secretHash: hashSecret(secret) };
}

const hashSecret = (secret: string) => createHash("sha256").update(secret, "hex").digest();

/** Resolves the API key of a request. An invalid key is reported by requirePartner, after the rate limit. */
export function identify(db: Queryable, keys: HotCache<KeyTerms>): RequestHandler {
  const markUsed = createUseMarks(db);
  return async (request, response, next) => {
    const { given, text } = keyIn(request);
    const partner = text === undefined ? undefined : await partnerOf(keys, text);
    if (partner !== undefined) await markUsed(partner.keyId);
    const isExpired = partner !== undefined && partner.expiresAt !== null && partner.expiresAt <= new Date();
    response.locals.partner = isExpired ? undefined : partner;
    response.locals.keyExpired = isExpired;
    response.locals.keyGiven = given;
    next();
  };
}

/** Records that a key is used, at most once a minute. */
function createUseMarks(db: Queryable): (id: string) => Promise<void> {
  const marked = new Map<string, number>();
  return async (id) => {
    const now = performance.now();
    if (now - (marked.get(id) ?? Number.NEGATIVE_INFINITY) < 60_000) return;
    if (marked.size >= mostMarked) marked.clear();
    marked.set(id, now);
    await markKeyUsed(db, id);
  };
}

/** The key is in `Authorization`. A browser sets no header of a WebSocket: there the key is one of its subprotocols. */
function keyIn({ headers }: IncomingMessage): { given: boolean; text: string | undefined } {
  const { authorization, "sec-websocket-protocol": protocols } = headers;
  if (authorization !== undefined) return { given: true, text: /^Bearer (\S+)$/i.exec(authorization)?.[1] };
  const named = (protocols ?? "").split(/\s*,\s*/).find((name) => name.startsWith(execKeyProtocol));
  return { given: named !== undefined, text: named?.slice(execKeyProtocol.length) };
}

async function partnerOf(keys: HotCache<KeyTerms>, text: string): Promise<Partner | undefined> {
  const [, id, secret] = keyPattern.exec(text) ?? [];
  if (id === undefined || secret === undefined) return undefined;
  const key = await keys.get(id);
  // An unknown id costs the same comparison as a wrong secret.
  const expected = key?.secretHash ?? Buffer.alloc(32);
  if (!timingSafeEqual(hashSecret(secret), expected) || key === undefined) return undefined;
  const { secretHash: _secret, ...terms } = key;
  return { ...terms, keyId: id };
}

export function partnerIn(response: Response): Partner | undefined {
  return response.locals.partner as Partner | undefined;
}

/**
 * Returns the partner of a request.
 *
 * @throws InputError `api_key_missing`, `api_key_expired` or `api_key_invalid` (401).
 */
export function requirePartner(response: Response): Partner {
  const partner = partnerIn(response);
  if (partner !== undefined) return partner;
  if (response.locals.keyExpired === true) {
    throw new InputError("The API key has expired.", {
      code: "api_key_expired",
      status: 401,
      hint: "Use the key that replaced it, or sign in again with POST /v1/accounts.",
    });
  }
  throw response.locals.keyGiven === true
    ? new InputError("The API key is not valid.", {
        code: "api_key_invalid",
        status: 401,
        hint: "It may have been revoked; sign in again with POST /v1/accounts.",
      })
    : new InputError("An API key is required.", {
        code: "api_key_missing",
        status: 401,
        hint: "Send it as `Authorization: Bearer ngpu_…`; POST /v1/accounts issues one.",
      });
}
