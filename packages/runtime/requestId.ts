import { randomUUID } from "node:crypto";

/** Names a request on its way: in the answer, in every program's log, in what the container gets. */
export const requestIdHeader = "x-request-id";

const acceptable = /^[\w.:-]{1,128}$/;

/** The id that came with a request, when it is short and plain enough to be logged; else a new one. */
export function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === "string" && acceptable.test(given) ? given : randomUUID();
}
