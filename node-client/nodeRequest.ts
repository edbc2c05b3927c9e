import type { ServerHttp2Stream } from "node:http2";
import { nodeKindsHeader, nodeRequestKinds } from "@ngpu/protocol/nodeRequests";
import type { Logger } from "@ngpu/runtime/logger";
import type { Engine } from "./docker/engine.ts";
import type { LeaseRef } from "./leases.ts";
import type { Container } from "./reconcileFacts.ts";

/** A lease of this node, as it is now. */
export type CurrentLease = { container: Container | undefined };

export type NodeRequestDeps = {
  engine: Engine;
  /** A lease that this node has and no later one replaces. */
  current: (lease: LeaseRef) => CurrentLease | undefined;
  logger: Logger;
  /** Aborted when the client stops. */
  signal: AbortSignal;
};

export type NodeRequest = {
  stream: ServerHttp2Stream;
  lease: LeaseRef;
  current: () => CurrentLease | undefined;
  query: URLSearchParams;
  rest: string[];
  /** Aborted when the request or the client has ended. */
  signal: AbortSignal;
  deps: NodeRequestDeps;
};

/** Begins the answer to a request. */
export function accept(stream: ServerHttp2Stream, contentType: string): void {
  if (stream.destroyed) return;
  stream.respond({
    ":status": 200,
    "content-type": contentType,
    [nodeKindsHeader]: nodeRequestKinds.join(","),
  });
}

/** Ends a request with a typed refusal. */
export function refuse(stream: ServerHttp2Stream, code: string, reason = ""): void {
  if (stream.destroyed) return;
  stream.respond({
    ":status": code === "lease_not_found" ? 404 : 502,
    [nodeKindsHeader]: nodeRequestKinds.join(","),
    "x-ngpu-error": code,
    "x-ngpu-reason": reason.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 200),
  });
  stream.end();
  stream.resume();
}
