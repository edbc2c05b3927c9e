import { createHash, timingSafeEqual } from "node:crypto";
import { InputError } from "./errors.ts";

/**
 * Requires a secret that two services share, compared in constant time.
 *
 * @param authorization The request's header.
 * @param variable The environment variable with the secret, for the hint.
 * @throws InputError `token_invalid`, status 401.
 */
export function requireBearerToken(authorization: string | undefined, token: string, variable: string): void {
  const given = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1] ?? "";
  if (timingSafeEqual(digest(given), digest(token))) return;
  throw new InputError("The bearer token is missing or invalid.", {
    code: "token_invalid",
    hint: `Send ${variable} as Authorization: Bearer.`,
    status: 401,
  });
}

const digest = (text: string) => createHash("sha256").update(text).digest();
