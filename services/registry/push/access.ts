import { createHash, timingSafeEqual } from "node:crypto";
import type { Request, Response } from "express";
import { type Refusal, refuse } from "../answers.ts";
import type { PushDeps } from "./deps.ts";
import { findKey } from "./store/keys.ts";

const keyPattern = /^ngpu_([0-9a-f]{16})_([0-9a-f]{64})$/;
/** The token of a reader without a key. */
const anonymous = "anonymous";

/** Who asks: an account, somebody without a key, or somebody with a key that does not push. */
export type Caller = { type: "account"; account: string } | { type: "anonymous" } | { type: "refused" };

/**
 * Resolves the API key of a request: the password of Basic, or the token of Bearer, which is the key itself. So a revoked key is
 * refused at once, and no token outlives it.
 */
export async function callerOf({ db }: Pick<PushDeps, "db">, request: Request): Promise<Caller> {
  const text = keyIn(request.headers.authorization);
  if (text === undefined || text === anonymous) return { type: "anonymous" };
  const [, id, secret] = keyPattern.exec(text) ?? [];
  if (id === undefined || secret === undefined) return { type: "refused" };
  const key = await findKey(db, id);
  const hash = createHash("sha256").update(secret, "hex").digest();
  // An unknown id costs the same comparison as a wrong secret.
  const isRight = timingSafeEqual(hash, key?.secretHash ?? Buffer.alloc(32));
  return isRight && key !== undefined ? { type: "account", account: key.account } : { type: "refused" };
}

function keyIn(authorization: string | undefined): string | undefined {
  const [, scheme, value = ""] = /^(Basic|Bearer) (\S+)$/i.exec(authorization ?? "") ?? [];
  if (scheme?.toLowerCase() !== "basic") return scheme === undefined ? undefined : value;
  const text = Buffer.from(value, "base64").toString("utf8");
  return text.slice(text.indexOf(":") + 1);
}

/** Answers with where a client gets its token: Docker sends its user's password there, and nothing where it has none. */
export function challenge(deps: PushDeps, request: Request, response: Response): void {
  response.set("WWW-Authenticate", `Bearer realm="${originOf(deps, request)}/v2/token",service="ngpu"`);
  refuse(response, 401, unauthorized);
}

const unauthorized: Refusal = {
  code: "UNAUTHORIZED",
  message: "an API key that may push is needed",
  hint: "docker login with any user name, and an API key with the scope workspaces as the password",
};

function originOf({ publicUrl }: PushDeps, request: Request): string {
  if (publicUrl !== undefined) return publicUrl.replace(/\/+$/, "");
  return `${request.protocol}://${request.headers.host}`;
}

/** `GET /v2/`: tells clients that there are keys. */
export async function serveVersion(deps: PushDeps, request: Request, response: Response): Promise<void> {
  const caller = await callerOf(deps, request);
  const hasToken = request.headers.authorization !== undefined && caller.type !== "refused";
  if (hasToken) response.json({});
  else challenge(deps, request, response);
}

/** `GET /v2/token`: the key itself as a token, and a token for reading without a key. */
export async function serveToken(deps: PushDeps, request: Request, response: Response): Promise<void> {
  const caller = await callerOf(deps, request);
  if (caller.type === "refused") {
    response.set("WWW-Authenticate", 'Basic realm="ngpu"');
    return refuse(response, 401, unauthorized);
  }
  const text = caller.type === "account" ? keyIn(request.headers.authorization) : anonymous;
  response.set("Cache-Control", "no-store").json({ token: text, access_token: text, expires_in: 3_600 });
}
