import { isAscii } from "node:buffer";
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { createGunzip } from "node:zlib";
import { FatalError, messageOf, type NgpuError, RetryableError } from "@ngpu/runtime/errors";
import { endpointError } from "./endpointError.ts";

/** A JSON-RPC request. */
export type RpcRequest = { method: string; params?: unknown };

const agents = {
  "http:": new HttpAgent({ keepAlive: true, maxSockets: 64 }),
  "https:": new HttpsAgent({ keepAlive: true, maxSockets: 64 }),
};

/**
 * Sends one request, or several as a batch, over persistent connections.
 *
 * @param deadline Milliseconds until the complete response must have arrived.
 * @returns The result or the error of each request, in order.
 * @throws RetryableError `rpc_timeout`, `rpc_rate_limited`, `rpc_limit`, `rpc_failed` or `rpc_response_invalid`
 */
export async function postRpc(
  url: string,
  rpcRequests: readonly RpcRequest[],
  deadline: number,
): Promise<(unknown | NgpuError)[]> {
  const calls = rpcRequests.map(({ method, params }, id) => ({ jsonrpc: "2.0", id, method, params }));
  const text = await post(url, JSON.stringify(calls.length === 1 ? calls[0] : calls), deadline);
  let response: unknown;
  try {
    response = JSON.parse(text);
  } catch (cause) {
    throw malformed(cause);
  }
  if (calls.length === 1) return [resultOf(response, rpcRequests[0] as RpcRequest)];
  // An endpoint that does not accept batches responds with a single error.
  if (!Array.isArray(response)) throw asError(resultOf(response, rpcRequests[0] as RpcRequest));
  const byId = new Map(response.map((part) => [(part as { id?: unknown } | null)?.id, part as unknown]));
  return rpcRequests.map((rpcRequest, id) => resultOf(byId.get(id), rpcRequest));
}

function asError(result: unknown): Error {
  return result instanceof Error ? result : malformed(new TypeError("not a list of responses"));
}

function malformed(cause: unknown): RetryableError {
  return new RetryableError("The endpoint's response is incomplete.", {
    code: "rpc_response_invalid",
    hint: "Use an endpoint that follows the Ethereum JSON-RPC specification.",
    cause,
  });
}

/** The result of a response, or its error. */
function resultOf(response: unknown, { method }: RpcRequest): unknown | NgpuError {
  if (typeof response !== "object" || response === null) return malformed(new TypeError("not a response"));
  if ("error" in response && response.error !== null && response.error !== undefined) {
    return errorOf(response.error as { code?: unknown; message?: unknown }, method);
  }
  return "result" in response ? response.result : malformed(new TypeError("neither result nor error"));
}

// Error codes of EIP-1474, and of JSON-RPC 2.0 below -32099.
const methodMissing = new Set<unknown>([-32601, -32004]);
const overLimit = new Set<unknown>([-32005, -32602]);

function errorOf({ code, message }: { code?: unknown; message?: unknown }, method: string): NgpuError {
  const cause = new Error(`${String(message)} (${String(code)})`);
  if (methodMissing.has(code)) {
    return new FatalError(`The endpoint does not serve ${method}.`, {
      code: "rpc_method_unsupported",
      hint: "Use an endpoint that serves eth_getLogs and eth_getBlockByNumber.",
      cause,
    });
  }
  return overLimit.has(code) ? endpointError("rpc_limit", cause) : endpointError("rpc_failed", cause);
}

async function post(url: string, body: string, deadline: number): Promise<string> {
  const at = new URL(url);
  const secure = at.protocol === "https:";
  const signal = AbortSignal.timeout(deadline);
  const headers: Record<string, string | number> = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    // A remote endpoint is reached over https, where compression saves time; a local one over http, where it does not.
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
    // Some endpoints return a JSON-RPC error with status 400 or 500.
    if (status === 200 || (status !== 429 && status !== 413 && text.startsWith('{"'))) return text;
    const cause = new Error(`HTTP status ${status}`);
    if (status === 429) throw endpointError("rpc_rate_limited", cause);
    throw status === 413 ? endpointError("rpc_limit", cause) : endpointError("rpc_failed", cause);
  } catch (error) {
    if (error instanceof RetryableError) throw error;
    throw signal.aborted
      ? endpointError("rpc_timeout", new Error(`no response within ${deadline} ms`))
      : endpointError("rpc_failed", new Error(messageOf(error), { cause: error }));
  }
}

async function read(response: IncomingMessage): Promise<string> {
  const packed = response.headers["content-encoding"] === "gzip";
  const chunks: Buffer[] = [];
  for await (const chunk of packed ? response.pipe(createGunzip()) : response) chunks.push(chunk as Buffer);
  // For a truncated body Node's stream throws, with or without a content-length.
  const body = Buffer.concat(chunks);
  // Responses are nearly always ASCII, which latin1 decodes faster.
  return body.toString(isAscii(body) ? "latin1" : "utf8");
}
