import type { BenchMarket } from "./market.ts";
import type { Call } from "./wrk.ts";

/** The calls whose rate is measured. */
export const loads = ["json", "chat"] as const;

/** A small JSON answer, a chat of one token, a chat that streams, and a long answer. */
export type Calls = Record<(typeof loads)[number] | "stream" | "long", Call>;

const chatOf = (model: string, stream: boolean) =>
  JSON.stringify({ model, max_tokens: 1, messages: [{ role: "user", content: "hi" }], stream });

const input = { text: "a cat", labels: ["cat", "dog"] };

/** Calls of the backend itself, or of a plain proxy in front of it. */
export function directCalls(url: string, bytes = 0): Calls {
  const headers = {};
  return {
    json: { url: `${url}/classify`, body: JSON.stringify(input), headers },
    chat: { url: `${url}/v1/chat/completions`, body: chatOf("m", false), headers },
    stream: { url: `${url}/v1/chat/completions`, body: chatOf("m", true), headers },
    long: { url: `${url}/v1/embeddings`, body: JSON.stringify({ model: "m", bytes }), headers },
  };
}

/** The same calls through the market, as its partner sends them. */
export function callsOf({ api, apiKey, workspaceId }: BenchMarket, bytes = 0): Calls {
  const headers = { authorization: `Bearer ${apiKey}` };
  const model = `ws-${workspaceId}`;
  const task = { workspaceId, path: "/classify", input };
  return {
    json: { url: `${api.url}/v1/tasks`, body: JSON.stringify(task), headers },
    chat: { url: `${api.url}/v1/chat/completions`, body: chatOf(model, false), headers },
    stream: { url: `${api.url}/v1/chat/completions`, body: chatOf(model, true), headers },
    long: { url: `${api.url}/v1/embeddings`, body: JSON.stringify({ model, bytes }), headers },
  };
}
