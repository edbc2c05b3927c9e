import { randomUUID } from "node:crypto";
import type { Queryable } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import type { RequestHandler, Response } from "express";
import { partnerIn } from "./access.ts";
import { insertCall } from "./store/calls.ts";

export type CallLog = {
  /** Gives every request an id and records it when it has ended. */
  record: RequestHandler;
  /** Resolves when every call that ended is stored. */
  flush: () => Promise<void>;
};

/** Records every call of the API: who, what, how it ended, which node served it, how long it took. */
export function createCallLog(deps: {
  db: Queryable;
  logger: Logger;
  onEnd: (route: string, status: number, seconds: number) => void;
}): CallLog {
  const pending = new Set<Promise<void>>();
  const store = async (response: Response, id: string, started: number, method: string) => {
    const route = String(response.locals.route ?? "unknown");
    const duration = performance.now() - started;
    // 499: whoever asked left before the answer was out.
    const status = response.writableFinished ? response.statusCode : 499;
    deps.onEnd(route, status, duration / 1000);
    const partner = partnerIn(response);
    const nodeId = response.getHeader("x-ngpu-node-id");
    try {
      await insertCall(deps.db, {
        id,
        wallet: partner?.wallet,
        keyId: partner?.keyId,
        method,
        route,
        status,
        nodeId: nodeId === undefined ? undefined : Number(nodeId),
        durationMs: Math.round(duration),
      });
    } catch (error) {
      deps.logger.warn({ event: "call_not_recorded", id, error });
    }
  };
  return {
    record: (request, response, next) => {
      const id = randomUUID();
      const started = performance.now();
      response.setHeader("x-request-id", id);
      response.locals.requestId = id;
      response.once("close", () => {
        const stored = store(response, id, started, request.method);
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
