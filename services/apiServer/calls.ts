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
/** Rows of one insert, and rows that wait for theirs. More calls than that are logged and counted alone. */
const mostRows = { insert: 500, waiting: 20_000 };

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

/**
 * Records every API call: caller, route, status, serving node and duration. A call that the limit of its address refused has no row:
 * whoever has no key could fill the table.
 */
export function createCallLog(deps: CallLogDependencies): CallLog {
  let waiting = 0;
  const calls = createBatcher({
    pause: collected,
    most: mostRows.insert,
    write: async (records: CallRecord[]) => {
      await insertCalls(deps.db, records);
      return records;
    },
  });
  const store = async (call: CallRecord, logger: Logger) => {
    if ((call.status === 429 && call.keyId === undefined) || waiting >= mostRows.waiting) return;
    waiting += 1;
    try {
      await calls.add(call);
    } catch (error) {
      logger.warn({ event: "call_not_recorded", id: call.id, error });
    } finally {
      waiting -= 1;
    }
  };
  return {
    record: (request, response, next) => {
      const started = performance.now();
      response.once("close", () => {
        const { call, logger } = callOf(deps, response, started, request.method);
        void store(call, logger);
      });
      next();
    },
    flush: () => calls.idle(),
  };
}

/** Logs and counts a call that has ended. */
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
    id: randomUUID(),
    requestId: requestIdIn(response),
    wallet: partner?.wallet,
    keyId: partner?.keyId,
    method,
    route,
    status,
    nodeId,
    durationMs: Math.round(duration),
    at: new Date(),
  };
  return { call, logger: callLogger };
}
