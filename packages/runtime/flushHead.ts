import type { ServerResponse } from "node:http";

/**
 * Sends the head of a response at once. Node's `flushHeaders` encodes it as UTF-8, which changes each header byte above 0x7f;
 * before a part of the body it is sent as it is. A response without a body sends its head when it ends.
 */
export function flushHead(response: ServerResponse): void {
  response.write(Buffer.alloc(0));
}
