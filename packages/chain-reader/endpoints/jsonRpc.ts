import { isAscii } from "node:buffer";
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { FatalError, messageOf, type NgpuError, RetryableError } from "@ngpu/runtime/errors";
import { readWithin } from "@ngpu/runtime/readWithin";
import { endpointError, refusalError } from "./endpointError.ts";
import { refusalOf } from "./providerErrors.ts";

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
 * @throws RetryableError `rpc_timeout`, `rpc_rate_limited`, `rpc_batch_refused`, `rpc_history_pruned`, `rpc_block_not_found`,
 *   `rpc_limit`, `rpc_failed` or `rpc_response_invalid`
 */
export async function postRpc(
  url: string,
  rpcRequests: readonly RpcRequest[],
  deadline: number,
): Promise<(unknown | NgpuError)[]> {
  const calls = rpcRequests.map(({ method, params }, id) => ({ jsonrpc: "2.0", id, method, params }));
  const isBatch = calls.length > 1;
  const text = await post(url, JSON.stringify(isBatch ? calls : calls[0]), { deadline, isBatch });
  let response: unknown;
  try {
    response = JSON.parse(text);
  } catch (cause) {
    throw malformed(cause);
  }
  if (!isBatch) return [resultOf(response, rpcRequests[0] as RpcRequest)];
  if (!Array.isArray(response)) throw refusedBatch(resultOf(response, rpcRequests[0] as RpcRequest));
  const byId = new Map(response.map((part) => [(part as { id?: unknown } | null)?.id, part as unknown]));
  const results = rpcRequests.map((rpcRequest, id) => resultOf(byId.get(id), rpcRequest));
  const refused = results.find((result) => codeOf(result) === "rpc_batch_refused");
  if (refused !== undefined) throw refused;
  return results;
}

/** An endpoint that does not accept a batch responds with a single error, of any kind. */
function refusedBatch(result: unknown): Error {
  if (codeOf(result) === "rpc_rate_limited") return result as NgpuError;
  return endpointError("rpc_batch_refused", result);
}

function codeOf(result: unknown): string | undefined {
  return result instanceof RetryableError ? result.code : undefined;
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

// Error codes of EIP-1474.
const methodMissing = new Set<unknown>([-32601, -32004]);

function errorOf({ code, message }: { code?: unknown; message?: unknown }, method: string): NgpuError {
  const cause = new Error(`${String(message)} (${String(code)})`);
  if (methodMissing.has(code)) {
    return new FatalError(`The endpoint does not serve ${method}.`, {
      code: "rpc_method_unsupported",
      hint: "Use an endpoint that serves eth_getLogs and eth_getBlockByNumber.",
      cause,
    });
  }
  return refusalError(refusalOf({ code, message }), cause);
}

async function post(
  url: string,
  body: string,
  { deadline, isBatch }: { deadline: number; isBatch: boolean },
): Promise<string> {
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
    if (response.statusCode === 200) return text;
    throwIfRefused(response, text, isBatch);
    return text;
  } catch (error) {
    if (error instanceof RetryableError) throw error;
    throw signal.aborted
      ? endpointError("rpc_timeout", new Error(`no response within ${deadline} ms`))
      : endpointError("rpc_failed", new Error(messageOf(error), { cause: error }));
  }
}

/** Statuses with which endpoints refuse the form of a request. */
const formStatuses = new Set([400, 405, 413, 415, 422]);

/** Throws the meaning of an error status, unless the body is a JSON-RPC response, which some endpoints send with one. */
function throwIfRefused(
  { statusCode: status = 0, headers }: IncomingMessage,
  text: string,
  isBatch: boolean,
) {
  const cause = new Error(`HTTP status ${status}: ${text.slice(0, 200)}`);
  const retryAfterMs = pauseOf(headers["retry-after"]);
  if (status === 429) {
    throw endpointError("rpc_rate_limited", cause, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  if (status !== 413 && /^\s*(\[\s*)?\{\s*"/.test(text)) return;
  if (isBatch && formStatuses.has(status)) throw endpointError("rpc_batch_refused", cause);
  if (status === 413) throw endpointError("rpc_limit", cause);
  throw refusalError(refusalOf({ message: text }), cause);
}

/** The milliseconds of a Retry-After header: seconds, or a date. */
function pauseOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const milliseconds = /^\d+$/.test(header) ? 1_000 * Number(header) : Date.parse(header) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : undefined;
}

/** Bytes of a response, unpacked. A range of blocks whose logs are larger is halved. */
const maxResponseBytes = 256 << 20;

async function read(response: IncomingMessage): Promise<string> {
  const packed = response.headers["content-encoding"] === "gzip";
  // Unlike `pipe`, it ends the reader when the connection breaks or the deadline passes.
  const source = packed ? pipeline(response, createGunzip(), () => undefined) : response;
  const tooLong = (what: string) => endpointError("rpc_limit", new Error(what));
  // For a truncated body Node's stream throws, with or without a content-length.
  const body = await readWithin(source, maxResponseBytes, tooLong);
  // Responses are nearly always ASCII, which latin1 decodes faster.
  return body.toString(isAscii(body) ? "latin1" : "utf8");
}
