import { randomUUID } from "node:crypto";
import type { Queryable } from "@ngpu/db/pool";
import { requestIdIn, requestLogger } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { RequestHandler, Response } from "express";
import { partnerIn } from "./access.ts";
import { createBatcher } from "./batcher.ts";
import { type CallRecord, insertCalls } from "./store/calls.ts";

/** Milliseconds for which calls are collected before they are stored. */
const collected = 20;

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
  const calls = createBatcher({
    pause: collected,
    write: async (records: CallRecord[]) => {
      await insertCalls(deps.db, records);
      return records;
    },
  });
  return {
    record: (request, response, next) => {
      const started = performance.now();
      response.once("close", () => {
        const { call, logger } = callOf(deps, response, started, request.method);
        calls
          .add(call)
          .catch((error: unknown) => logger.warn({ event: "call_not_recorded", id: call.id, error }));
      });
      next();
    },
    flush: () => calls.idle(),
  };
}

/** Logs a call that has ended. */
function callOf(
  { logger, onEnd }: CallLogDependencies,
  response: Response,
  started: number,
  method: string,
): { call: CallRecord; logger: Logger } {
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
  const call = {
    ...{ id: randomUUID(), requestId: requestIdIn(response), wallet: partner?.wallet, keyId: partner?.keyId },
    ...{ method, route, status, nodeId, durationMs: Math.round(duration) },
  };
  return { call, logger: callLogger };
}
