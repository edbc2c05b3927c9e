import { type ClientRequest, request } from "node:http";
import type { ByteMarket } from "./market.ts";

/** What a client sees: a complete response, or one that broke off after `bytes`. */
export type Seen = {
  end: "complete" | "cut";
  status: number;
  headers: string[][];
  body: Buffer;
};

export type Sent = { request: ClientRequest; seen: Promise<Seen> };

/** Sends a request on a connection of its own and reads the response as bytes. */
export function send(
  market: Pick<ByteMarket, "api" | "partner">,
  path: string,
  body: Buffer | string,
  headers: Record<string, string> = {},
): Sent {
  const seen = Promise.withResolvers<Seen>();
  const sent = request(`${market.api.url}${path}`, {
    method: "POST",
    agent: false,
    maxHeaderSize: 1 << 17,
    headers: {
      authorization: `Bearer ${market.partner.apiKey}`,
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...headers,
    },
  });
  sent.maxHeadersCount = 0;
  sent.on("error", seen.reject);
  sent.once("response", (response) => {
    const parts: Buffer[] = [];
    const settle = (end: Seen["end"]) => {
      const raw = response.rawHeaders;
      seen.resolve({
        end,
        status: response.statusCode ?? 0,
        headers: Array.from({ length: raw.length / 2 }, (_none, index) => [
          String(raw[2 * index]).toLowerCase(),
          String(raw[2 * index + 1]),
        ]),
        body: Buffer.concat(parts),
      });
    };
    response.on("data", (part: Buffer) => parts.push(part));
    response.once("end", () => settle("complete"));
    response.on("error", () => settle("cut"));
  });
  // As bytes: a string would change the encoding of the headers before it.
  sent.end(Buffer.from(body));
  return { request: sent, seen: seen.promise };
}

export const headerOf = (seen: Seen, name: string) => seen.headers.find(([own]) => own === name)?.[1];

export const chatBody = (model: string) =>
  JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] });
