import { randomUUID } from "node:crypto";

/** The header with a request id. It is set on the response and forwarded to the container; every program logs it. */
export const requestIdHeader = "x-request-id";

const acceptable = /^[\w.:-]{1,128}$/;

/** The id given with a request when it has at most 128 characters that are safe to log; otherwise a new one. */
export function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === "string" && acceptable.test(given) ? given : randomUUID();
}
