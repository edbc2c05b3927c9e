import { isAscii } from "node:buffer";
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { createGunzip } from "node:zlib";
import { FatalError, messageOf, type NgpuError, RetryableError } from "@ngpu/runtime/errors";

/** A question of JSON-RPC. */
export type RpcRequest = { method: string; params?: unknown };

const agents = {
  "http:": new HttpAgent({ keepAlive: true, maxSockets: 64 }),
  "https:": new HttpsAgent({ keepAlive: true, maxSockets: 64 }),
};

/**
 * Asks an endpoint one question or, as a batch, several, over connections that stay open.
 *
 * @param deadline Milliseconds until the whole answer must be there.
 * @returns each question's answer, or its own fault, in order
 * @throws RetryableError `rpc_timeout`, `rpc_rate_limited`, `rpc_limit`, `rpc_failed` or `rpc_malformed`
 */
export async function postRpc(
  url: string,
  rpcRequests: readonly RpcRequest[],
  deadline: number,
): Promise<(unknown | NgpuError)[]> {
  const calls = rpcRequests.map(({ method, params }, id) => ({ jsonrpc: "2.0", id, method, params }));
  const text = await post(url, JSON.stringify(calls.length === 1 ? calls[0] : calls), deadline);
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw malformed(cause);
  }
  if (calls.length === 1) return [resultOf(answer, rpcRequests[0] as RpcRequest)];
  // An endpoint that takes no batches answers with one fault for all.
  if (!Array.isArray(answer)) throw asError(resultOf(answer, rpcRequests[0] as RpcRequest));
  const byId = new Map(answer.map((part) => [(part as { id?: unknown } | null)?.id, part as unknown]));
  return rpcRequests.map((rpcRequest, id) => resultOf(byId.get(id), rpcRequest));
}

function asError(result: unknown): Error {
  return result instanceof Error ? result : malformed(new TypeError("not a list of answers"));
}

function malformed(cause: unknown): RetryableError {
  return new RetryableError("The endpoint's response is incomplete.", { code: "rpc_malformed", cause });
}

/** The answer's result, or its fault. */
function resultOf(answer: unknown, { method }: RpcRequest): unknown | NgpuError {
  if (typeof answer !== "object" || answer === null) return malformed(new TypeError("not an answer"));
  if ("error" in answer && answer.error !== null && answer.error !== undefined) {
    return errorOf(answer.error as { code?: unknown; message?: unknown }, method);
  }
  return "result" in answer ? answer.result : malformed(new TypeError("neither result nor error"));
}

// What the codes mean: EIP-1474, and JSON-RPC 2.0 for those below -32099.
const methodMissing = new Set<unknown>([-32601, -32004]);
const overLimit = new Set<unknown>([-32005, -32602]);

function errorOf({ code, message }: { code?: unknown; message?: unknown }, method: string): NgpuError {
  const cause = new Error(`${String(message)} (${String(code)})`);
  if (methodMissing.has(code)) {
    return new FatalError(`The endpoint does not serve ${method}.`, {
      code: "rpc_method_missing",
      hint: "Use an endpoint that serves eth_getLogs and eth_getBlockByNumber.",
      cause,
    });
  }
  return unanswered(overLimit.has(code) ? "rpc_limit" : "rpc_failed", cause);
}

function unanswered(code: string, cause: unknown): RetryableError {
  return new RetryableError("The chain's endpoint did not answer.", { code, cause });
}

async function post(url: string, body: string, deadline: number): Promise<string> {
  const at = new URL(url);
  const secure = at.protocol === "https:";
  const signal = AbortSignal.timeout(deadline);
  const headers: Record<string, string | number> = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    // Far away the network is slower than unpacking, nearby it is not.
    ...(secure ? { "accept-encoding": "gzip" } : {}),
  };
  if (at.username !== "") {
    const login = `${decodeURIComponent(at.username)}:${decodeURIComponent(at.password)}`;
    headers.authorization = `Basic ${Buffer.from(login).toString("base64")}`;
  }
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const agent = secure ? agents["https:"] : agents["http:"];
      const request = (secure ? requestHttps : requestHttp)(at, { method: "POST", agent, headers, signal });
      request.once("response", resolve).once("error", reject);
      request.end(body);
    });
    const text = await read(response);
    const status = response.statusCode ?? 0;
    // Some endpoints put the fault of a question into an answer of status 400 or 500.
    if (status === 200 || (status !== 429 && status !== 413 && text.startsWith('{"'))) return text;
    const code = status === 429 ? "rpc_rate_limited" : status === 413 ? "rpc_limit" : "rpc_failed";
    throw unanswered(code, new Error(`HTTP status ${status}`));
  } catch (error) {
    if (error instanceof RetryableError) throw error;
    throw signal.aborted
      ? unanswered("rpc_timeout", new Error(`no answer within ${deadline} ms`))
      : unanswered("rpc_failed", new Error(messageOf(error), { cause: error }));
  }
}

async function read(response: IncomingMessage): Promise<string> {
  const packed = response.headers["content-encoding"] === "gzip";
  const chunks: Buffer[] = [];
  for await (const chunk of packed ? response.pipe(createGunzip()) : response) chunks.push(chunk as Buffer);
  // Node ends a body that was cut off with an error by itself, whether its length was told or not.
  const body = Buffer.concat(chunks);
  // Hexadecimal, nearly always, and read faster as such.
  return body.toString(isAscii(body) ? "latin1" : "utf8");
}
