import { randomUUID } from "node:crypto";
import type { Queryable } from "@ngpu/db/pool";
import { requestIdIn, requestLogger } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { RequestHandler, Response } from "express";
import { partnerIn } from "./access.ts";
import { insertCall } from "./store/calls.ts";

export type CallLog = {
  /** Logs and records each request when it has ended. */
  record: RequestHandler;
  /** Resolves when all ended calls are stored. */
  flush: () => Promise<void>;
};

type CallLogDependencies = {
  db: Queryable;
  logger: Logger;
  onEnd: (route: string, status: number, seconds: number) => void;
};

/** Records every API call: caller, route, status, serving node and duration. */
export function createCallLog(deps: CallLogDependencies): CallLog {
  const pending = new Set<Promise<void>>();
  return {
    record: (request, response, next) => {
      const started = performance.now();
      response.once("close", () => {
        const stored = store(deps, response, started, request.method);
        pending.add(stored);
        void stored.then(() => pending.delete(stored));
      });
      next();
    },
    flush: async () => {
      await Promise.all(pending);
    },
  };
}

async function store(
  { db, logger, onEnd }: CallLogDependencies,
  response: Response,
  started: number,
  method: string,
): Promise<void> {
  const id = randomUUID();
  const callLogger = requestLogger(logger, response);
  const route = String(response.locals.route ?? "unknown");
  const duration = performance.now() - started;
  // 499: the client disconnected before the response was sent.
  const isSent = response.writableFinished || response.statusCode === 101;
  const status = isSent ? response.statusCode : 499;
  onEnd(route, status, duration / 1000);
  const partner = partnerIn(response);
  const header = response.getHeader("x-ngpu-node-id");
  const nodeId = header === undefined ? undefined : Number(header);
  callLogger.info({ event: "call_ended", method, route, status, keyId: partner?.keyId, nodeId, duration });
  try {
    await insertCall(db, {
      id,
      requestId: requestIdIn(response),
      wallet: partner?.wallet,
      keyId: partner?.keyId,
      method,
      route,
      status,
      nodeId,
      durationMs: Math.round(duration),
    });
  } catch (error) {
    callLogger.warn({ event: "call_not_recorded", id, error });
  }
}
