import type { IncomingMessage } from "node:http";
import { headerLimits } from "@ngpu/runtime/httpLimits";

const maxLength = 2n ** 63n - 1n;

/** Most interim responses (1xx) before a response. Each takes time of the client that no deadline of the request limits. */
export const maxInterim = 100;

/** Why the head of a container's response cannot be passed on; undefined: it can. */
export function responseError(response: Pick<IncomingMessage, "statusCode" | "rawHeaders" | "headers">) {
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 599) return `its status is ${status}, not 200 to 599`;
  const fields = response.rawHeaders.length / 2;
  if (fields > headerLimits.fields) return `it has ${fields} headers, more than ${headerLimits.fields}`;
  const length = response.headers["content-length"];
  // HTTP/2 counts lengths in 63 bits.
  if (length !== undefined && BigInt(length) > maxLength) return `its content-length is ${length}`;
  const coding = response.headers["transfer-encoding"]?.trim().toLowerCase();
  // Node removes only the framing of chunks. With another coding the body would arrive coded, without its header.
  if (coding !== undefined && coding !== "chunked" && coding !== "identity") {
    return `its transfer-encoding is ${coding.slice(0, 40)}, not chunked`;
  }
  return undefined;
}
