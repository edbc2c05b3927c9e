import type { ServerHttp2Stream } from "node:http2";
import { type NodeRequestKind, type NodeRequestPath, parseNodePath } from "@ngpu/protocol/nodeRequests";
import { InputError, messageOf, NgpuError } from "@ngpu/runtime/errors";
import { createExec } from "./exec/serveExec.ts";
import { serveLogs } from "./logs/serveLogs.ts";
import { type NodeRequest, type NodeRequestDeps, refuse } from "./nodeRequest.ts";
import { partnerText } from "./reasons/partnerText.ts";
import { serveStats } from "./stats/serveStats.ts";

export type NodeRequests = {
  /** Answers a request that the node itself serves. False: it is none. */
  answer(stream: ServerHttp2Stream, path: string): boolean;
};

/** Requests of one kind that a lease has open at once: each may hold a connection to the engine. */
const maxOpen = 32;

type Handlers = Record<NodeRequestKind, (request: NodeRequest) => Promise<void>>;

/** Serves the requests that a node answers itself, for the containers of its current leases only. */
export function createNodeRequests(deps: NodeRequestDeps): NodeRequests {
  const open = new Map<string, number>();
  const handlers: Handlers = { logs: serveLogs, exec: createExec(deps.signal), stats: serveStats };
  return {
    answer: (stream, path) => {
      const parsed = parseNodePath(path);
      if (parsed === undefined) return false;
      const name = `${parsed.workspaceId}/${parsed.replica}/${parsed.kind}`;
      const count = open.get(name) ?? 0;
      if (count >= maxOpen) {
        refuse(stream, "node_requests_exceeded", `${maxOpen} requests are open.`);
        return true;
      }
      open.set(name, count + 1);
      void answer(stream, path, { parsed, deps, handlers }).finally(() => {
        const left = (open.get(name) ?? 1) - 1;
        if (left === 0) open.delete(name);
        else open.set(name, left);
      });
      return true;
    },
  };
}

async function answer(
  stream: ServerHttp2Stream,
  path: string,
  { parsed, deps, handlers }: { parsed: NodeRequestPath; deps: NodeRequestDeps; handlers: Handlers },
): Promise<void> {
  const handler = Object.hasOwn(handlers, parsed.kind) ? handlers[parsed.kind as NodeRequestKind] : undefined;
  if (handler === undefined) return refuse(stream, "node_request_unknown", parsed.kind);
  const lease = { workspaceId: BigInt(parsed.workspaceId), replica: parsed.replica, lease: parsed.lease };
  const current = () => deps.current(lease);
  if (current() === undefined) return refuse(stream, "lease_not_found");
  const closed = new AbortController();
  // A stream that is cancelled without an error code stays open until something is written, which then fails.
  stream.once("aborted", () => stream.destroy());
  stream.on("error", () => undefined);
  stream.once("close", () => closed.abort(new Error("the request has ended")));
  const signal = AbortSignal.any([closed.signal, deps.signal]);
  const query = new URL(path, "http://node").searchParams;
  try {
    await handler({ stream, lease, current, query, rest: parsed.rest, signal, deps });
  } catch (error) {
    if (signal.aborted) stream.destroy();
    else if (stream.headersSent) {
      deps.logger.warn({ event: "node_request_cut", kind: parsed.kind, reason: messageOf(error) });
      stream.destroy(new Error("the node cannot read on"));
    } else {
      const code = error instanceof NgpuError ? error.code : "node_request_failed";
      deps.logger.info({ event: "node_request_refused", kind: parsed.kind, code, error });
      refuse(stream, code, error instanceof InputError ? messageOf(error) : partnerText(messageOf(error)));
    }
  }
}
