import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, Agent as SecureAgent } from "node:https";
import { json } from "node:stream/consumers";
import { InputError, type NgpuError, RetryableError } from "@ngpu/runtime/errors";
import type { ForwardedHeaders } from "@ngpu/runtime/hopHeaders";
import { acceptedHeaderBytes, idleTimes } from "@ngpu/runtime/httpLimits";
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

/** A container's response with its body unread. */
export type GatewayAnswer = { message: IncomingMessage; nodeId: number; replica: number; lease: number };

export type Gateway = {
  /**
   * Sends a request to the best running replica of a workspace.
   *
   * @throws InputError or RetryableError with the gateway's code: `replica_unavailable`, `replica_timeout`, `replica_connection_lost`, …
   */
  call(request: GatewayRequest): Promise<GatewayAnswer>;
  close(): void;
};

const failure = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }),
});

export function createGateway(options: { url: string; token: string; idle?: number }): Gateway {
  const base = new URL(options.url);
  const secure = base.protocol === "https:";
  // The agent closes a connection that is idle for this long.
  const kept = { keepAlive: true, timeout: options.idle ?? idleTimes.client };
  const agent = secure ? new SecureAgent(kept) : new Agent(kept);
  const send = secure ? httpsRequest : httpRequest;
  return {
    call: async (request) => {
      const answered = Promise.withResolvers<IncomingMessage>();
      const outgoing = send({
        agent,
        host: base.hostname,
        port: base.port,
        method: request.method,
        path: `${base.pathname.replace(/\/$/, "")}/v1/route/${request.workspaceId}${request.path}`,
        headers: {
          ...request.headers,
          ...(request.body === undefined ? {} : { "content-length": String(request.body.length) }),
          authorization: `Bearer ${options.token}`,
        },
        maxHeaderSize: acceptedHeaderBytes,
        timeout: request.silence,
        signal: request.signal,
      });
      outgoing.once("timeout", () => outgoing.destroy(new Error(`no byte for ${request.silence} ms`)));
      outgoing.once("response", answered.resolve);
      // A connection may fail again after its first error.
      outgoing.on("error", answered.reject);
      outgoing.end(request.body);
      const message = await answered.promise.catch((error: unknown) => {
        throw request.signal.aborted ? request.signal.reason : unreachable(error);
      });
      return answerOf(message);
    },
    close: () => agent.destroy(),
  };
}

/** @throws NgpuError when the gateway answered itself. */
async function answerOf(message: IncomingMessage): Promise<GatewayAnswer> {
  const nodeId = message.headers["x-ngpu-node-id"];
  // Only the response of a container has this header.
  if (nodeId === undefined) throw await errorOf(message);
  return {
    message,
    nodeId: Number(nodeId),
    replica: Number(message.headers["x-ngpu-replica"]),
    lease: Number(message.headers["x-ngpu-lease"]),
  };
}

async function errorOf(message: IncomingMessage): Promise<NgpuError> {
  const parsed = failure.safeParse(await json(message).catch(() => undefined));
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
  return new InputError(text, { code, hint, status: status === 504 ? 504 : 502 });
}

function unreachable(cause: unknown): RetryableError {
  return new RetryableError("The gateway does not answer.", {
    code: "gateway_unreachable",
    hint: "Try again in a few seconds.",
    cause,
  });
}
