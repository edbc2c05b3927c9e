import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { Contract } from "../../services/apiServer/contract.ts";
import type { FuzzRequest } from "./requests.ts";

/** A server may take this long for one answer, in milliseconds. */
const patience = 60_000;

/** Content types of answers that may go on until the client leaves. */
const streamTypes = ["text/event-stream", "application/jsonl"];
/** How long such an answer is read, in milliseconds. */
const streamMs = 200;

/** Codes of answers with 503 that are right while everything that the API needs is there. */
const rightUnavailable = ["replica_unavailable", "capacity_wait_ended"];

export type Answer = { status: number; headers: Headers; body: string };
export type Send = (request: FuzzRequest) => Promise<Answer>;

/** Sends requests over kept connections. */
export function createSend(url: string): { send: Send; close: () => void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const { hostname, port } = new URL(url);
  const send: Send = async (given) => {
    const answered = Promise.withResolvers<IncomingMessage>();
    const outgoing = httpRequest({
      agent,
      hostname,
      port,
      method: given.method,
      path: given.path,
      headers:
        given.body === undefined
          ? given.headers
          : { ...given.headers, "content-length": byteLength(given.body) },
      timeout: patience,
      maxHeaderSize: 1 << 20,
    });
    outgoing.once("response", answered.resolve);
    outgoing.once("timeout", () => outgoing.destroy(new Error(`no answer for ${patience} ms`)));
    outgoing.on("error", answered.reject);
    outgoing.end(given.body);
    const message = await answered.promise;
    const headers = new Headers();
    for (const [name, value] of Object.entries(message.headers)) headers.set(name, String(value));
    return { status: message.statusCode ?? 0, headers, body: await readBody(message) };
  };
  return { send, close: () => agent.destroy() };
}

/** Reads a body to its end, or a stream of events, which may have none, for a while. */
async function readBody(message: IncomingMessage): Promise<string> {
  const type = message.headers["content-type"] ?? "";
  if (!streamTypes.some((one) => type.startsWith(one))) return text(message);
  const timer = setTimeout(() => message.destroy(), streamMs);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of message) chunks.push(chunk as Buffer);
  } catch (error) {
    if (!message.destroyed) throw error;
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).toString();
}

const byteLength = (body: string) => String(Buffer.byteLength(body));

/** What is wrong with an answer; empty when nothing is. */
export function errorsOf(contract: Contract, { method, path }: FuzzRequest, answer: Answer): string[] {
  const { status, headers, body } = answer;
  const isOurs = !headers.has("x-ngpu-node-id");
  const seen = { method, path, status, headers, body: body !== "" && !isOurs ? undefined : body };
  // Before a request has a path, the parser refuses it.
  if (isOurs && [400, 408, 431].includes(status) && isMalformed(body)) return [];
  if (status >= 500 && isOurs && !(status === 503 && rightUnavailable.includes(codeIn(body)))) {
    return [`the answer is ${status}: ${body}`];
  }
  return contract.errorsOf(seen);
}

const isMalformed = (body: string) => /^request_(malformed|headers_too_large|incomplete)$/.test(codeIn(body));

/** The code of an error's body, ours or OpenAI's. */
export function codeIn(body: string): string {
  try {
    const parsed = JSON.parse(body) as { code?: string; error?: { code?: string } };
    return parsed.code ?? parsed.error?.code ?? "";
  } catch {
    return "";
  }
}

/** A request as a command. Its key is read from NGPU_API_KEY, and a long body is shortened. */
export function curlOf(url: string, { method, path, headers, body }: FuzzRequest): string {
  const quoted = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`;
  const lines = Object.entries(headers).map(([name, value]) =>
    value.startsWith("Bearer ngpu_") && !value.includes("_0000000000000000_")
      ? `-H "Authorization: Bearer $NGPU_API_KEY"`
      : `-H ${quoted(`${name}: ${value}`)}`,
  );
  const data = body === undefined ? [] : [`--data-binary ${quoted(body.slice(0, 2_000))}`];
  const note = (body?.length ?? 0) > 2_000 ? [`# the body has ${body?.length} characters`] : [];
  return ["curl -i --path-as-is", `-X ${method}`, ...lines, ...data, quoted(url + path), ...note].join(" ");
}
