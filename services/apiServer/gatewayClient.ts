import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, Agent as SecureAgent } from "node:https";
import type { Readable } from "node:stream";
import { InputError, type NgpuError, RetryableError } from "@ngpu/runtime/errors";
import type { ForwardedHeaders } from "@ngpu/runtime/hopHeaders";
import { acceptedHeaderBytes, idleTimes } from "@ngpu/runtime/httpLimits";
import { readWithin } from "@ngpu/runtime/readWithin";
import { z } from "zod";

export type GatewayRequest = {
  workspaceId: string;
  method: string;
  /** Path in the container, checked against dot segments. */
  path: string;
  headers: ForwardedHeaders;
  body: Buffer | undefined;
  signal: AbortSignal;
  /** Longest time without a byte from the gateway, in milliseconds. */
  silence: number;
};

export type NodeRequest = Pick<GatewayRequest, "workspaceId" | "method" | "signal" | "silence"> & {
  replica: number;
  /** `/<kind>…`, with the query. */
  path: string;
  headers?: ForwardedHeaders;
  /** Sent while the answer is read. */
  body?: Readable;
};

/** A container's response with its body unread. */
export type GatewayAnswer = { message: IncomingMessage; nodeId: number; replica: number; lease: number };

export type Gateway = {
  /**
   * Sends a request to the best running replica of a workspace.
   *
   * @throws InputError or RetryableError with the gateway's code: `replica_unavailable`, `replica_timeout`, `replica_connection_lost`, …
   */
  call(request: GatewayRequest): Promise<GatewayAnswer>;
  /**
   * Sends a request to the node that has a replica, which answers it itself.
   *
   * @throws InputError or RetryableError with the gateway's code: `replica_not_placed`, `node_outdated`, `node_disconnected`, …
   */
  node(request: NodeRequest): Promise<GatewayAnswer>;
  close(): void;
};

/** Bytes of JSON that a node may answer, as of an error of the gateway. */
const maxJsonBytes = 64 << 10;

const failure = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }),
});

type Options = { url: string; token: string; idle?: number };

export function createGateway(options: Options): Gateway {
  const { protocol } = new URL(options.url);
  const isSecure = protocol === "https:";
  // The agent closes a connection that is idle for this long.
  const kept = { keepAlive: true, timeout: options.idle ?? idleTimes.client };
  const agent = isSecure ? new SecureAgent(kept) : new Agent(kept);
  return {
    call: async ({ workspaceId, path, body, headers, ...rest }) => {
      const length = body === undefined ? {} : { "content-length": String(body.length) };
      const sent = send({ ...options, agent }, `/v1/route/${workspaceId}${path}`, {
        ...rest,
        headers: { ...headers, ...length },
      });
      sent.outgoing.end(body);
      return answerOf(await sent.answer);
    },
    node: async ({ workspaceId, replica, path, body, headers = {}, ...rest }) => {
      const sent = send({ ...options, agent }, `/v1/node/${workspaceId}/${replica}${path}`, {
        ...rest,
        headers,
      });
      if (body === undefined) sent.outgoing.end();
      else {
        // The node answers before the first byte of the body.
        sent.outgoing.flushHeaders();
        body.pipe(sent.outgoing);
      }
      return answerOf(await sent.answer, nodeStatuses);
    },
    close: () => agent.destroy(),
  };
}

type Sent = Pick<GatewayRequest, "method" | "headers" | "signal" | "silence">;

function send(
  options: Options & { agent: Agent },
  path: string,
  { method, headers, signal, silence }: Sent,
): { outgoing: ClientRequest; answer: Promise<IncomingMessage> } {
  const base = new URL(options.url);
  const answered = Promise.withResolvers<IncomingMessage>();
  const outgoing = (base.protocol === "https:" ? httpsRequest : httpRequest)({
    agent: options.agent,
    host: base.hostname,
    port: base.port,
    method,
    path: `${base.pathname.replace(/\/$/, "")}${path}`,
    headers: { ...headers, authorization: `Bearer ${options.token}` },
    maxHeaderSize: acceptedHeaderBytes,
    timeout: silence,
    signal,
  });
  outgoing.once("timeout", () => outgoing.destroy(new Error(`no byte for ${silence} ms`)));
  outgoing.once("response", answered.resolve);
  // A connection may fail again after its first error.
  outgoing.on("error", answered.reject);
  const answer = answered.promise.catch((error: unknown) => {
    throw signal.aborted ? reasonOf(signal) : unreachable(error);
  });
  return { outgoing, answer };
}

/** @throws NgpuError when the gateway answered itself. */
async function answerOf(message: IncomingMessage, passed: readonly number[] = []): Promise<GatewayAnswer> {
  const nodeId = message.headers["x-ngpu-node-id"];
  // Only the response of a container or a node has this header.
  if (nodeId === undefined) throw await errorOf(message, passed);
  return {
    message,
    nodeId: Number(nodeId),
    replica: Number(message.headers["x-ngpu-replica"]),
    lease: Number(message.headers["x-ngpu-lease"]),
  };
}

/** Statuses of a request to a node that the caller sees as they are. */
const nodeStatuses = [400, 404, 409, 410, 429, 501];

async function errorOf(message: IncomingMessage, passed: readonly number[]): Promise<NgpuError> {
  const parsed = failure.safeParse(await jsonOf(message).catch(() => undefined));
  const status = message.statusCode ?? 502;
  const {
    code,
    message: text,
    hint = "Try again in a few seconds.",
  } = parsed.data?.error ?? {
    code: "gateway_unreachable",
    message: `The gateway answered ${status}.`,
    hint: "Try again in a few seconds.",
  };
  if (status === 503) return new RetryableError(text, { code, hint });
  return new InputError(text, {
    code,
    hint,
    status: status === 504 || passed.includes(status) ? status : 502,
  });
}

/**
 * The JSON that a node answers.
 *
 * @param signal That of the request.
 * @throws InputError `node_answer_invalid` (502), `node_timeout` (504).
 */
export async function nodeJson(
  { message, nodeId }: Pick<GatewayAnswer, "message" | "nodeId">,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    return await jsonOf(message);
  } catch (cause) {
    throw signal.aborted ? reasonOf(signal) : invalidAnswer(nodeId, cause);
  }
}

/** @throws Error when a body breaks off, is longer than a node may answer, or is no JSON. */
async function jsonOf(message: IncomingMessage): Promise<unknown> {
  return JSON.parse((await readWithin(message, maxJsonBytes)).toString());
}

export function invalidAnswer(nodeId: number, cause?: unknown): InputError {
  return new InputError(`Node ${nodeId} answered with something else than what was asked for.`, {
    code: "node_answer_invalid",
    hint: "Try again. If it recurs, report it to the node's operator.",
    status: 502,
    cause,
  });
}

/** Why a request was aborted: its deadline in the partner's words, or the reason as it is. */
function reasonOf({ reason }: AbortSignal): unknown {
  if (!(reason instanceof DOMException) || reason.name !== "TimeoutError") return reason;
  return new InputError("The node did not answer in time.", {
    code: "node_timeout",
    hint: "Try again. If it recurs, report it to the node's operator.",
    status: 504,
    cause: reason,
  });
}

function unreachable(cause: unknown): RetryableError {
  return new RetryableError("The gateway does not answer.", {
    code: "gateway_unreachable",
    hint: "Try again in a few seconds.",
    cause,
  });
}
