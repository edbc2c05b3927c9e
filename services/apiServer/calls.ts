import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Queryable } from "@ngpu/db/pool";
import { requestIdIn, requestLogger } from "@ngpu/runtime/http";
import type { Logger } from "@ngpu/runtime/logger";
import type { RequestHandler, Response } from "express";
import { partnerIn } from "./access.ts";
import { type CallRecord, insertCalls } from "./store/calls.ts";

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

/** Milliseconds from the end of a call to the insert of its row, with those of other calls. */
const flushPause = 100;
/** Rows of one insert, and rows that wait for theirs. More calls than that are logged and counted alone. */
const mostRows = { insert: 500, waiting: 20_000 };

/**
 * Records every API call: caller, route, status, serving node and duration. A call that the limit of its address refused has no row:
 * whoever has no key could fill the table.
 */
export function createCallLog(deps: CallLogDependencies): CallLog {
  const waiting: CallRecord[] = [];
  let flushing: Promise<void> | undefined;
  const flush = async () => {
    while (waiting.length > 0) await insert(deps, waiting.splice(0, mostRows.insert));
    flushing = undefined;
  };
  const record = (response: Response, started: number, method: string) => {
    const call = describe(deps, response, started, method);
    if (call.status === 429 && call.keyId === undefined) return;
    if (waiting.length < mostRows.waiting) waiting.push(call);
    flushing ??= delay(flushPause).then(flush);
  };
  return {
    record: (request, response, next) => {
      const started = performance.now();
      response.once("close", () => record(response, started, request.method));
      next();
    },
    flush: async () => {
      while (flushing !== undefined) await flushing;
    },
  };
}

/** Logs and counts a call that has ended. @returns its row */
function describe(
  { logger, onEnd }: CallLogDependencies,
  response: Response,
  started: number,
  method: string,
): CallRecord {
  const route = String(response.locals.route ?? "unknown");
  const duration = performance.now() - started;
  // 499: the client disconnected before the response was sent.
  const isSent = response.writableFinished || response.statusCode === 101;
  const status = isSent ? response.statusCode : 499;
  onEnd(route, status, duration / 1000);
  const partner = partnerIn(response);
  const header = response.getHeader("x-ngpu-node-id");
  const nodeId = header === undefined ? undefined : Number(header);
  const keyId = partner?.keyId;
  requestLogger(logger, response).info({
    event: "call_ended",
    ...{ method, route, status, keyId, nodeId, duration },
  });
  return {
    id: randomUUID(),
    requestId: requestIdIn(response),
    wallet: partner?.wallet,
    ...{ keyId, method, route, status, nodeId },
    durationMs: Math.round(duration),
    at: new Date(),
  };
}

async function insert({ db, logger }: CallLogDependencies, calls: readonly CallRecord[]): Promise<void> {
  try {
    await insertCalls(db, calls);
  } catch (error) {
    logger.warn({ event: "calls_not_recorded", count: calls.length, error });
  }
}
