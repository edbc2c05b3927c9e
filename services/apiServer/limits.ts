import { FatalError, InputError } from "@ngpu/runtime/errors";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import type { RequestHandler } from "express";
import { ipKeyGenerator, rateLimit, type Store } from "express-rate-limit";
import { Redis } from "ioredis";
import { type Partner, partnerIn } from "./access.ts";
import { type CallCounts, countWindow, createCallCounts } from "./callCounts.ts";

/** Calls per minute. */
export type Limits = {
  perKey: number;
  /** Calls that run a task, per key; default: as other calls. */
  tasks?: number;
  perAddress: number;
  signIn: number;
  /** Calls that send a transaction, per wallet. */
  writes: number;
};

export const defaultLimits: Limits = {
  perKey: 600,
  // A thousand a second: an inference application has as many users behind one key.
  tasks: 60_000,
  perAddress: 300,
  signIn: 30,
  writes: 60,
};

/** Deadlines of the Redis that counts calls, in milliseconds. */
const counterDeadlines = {
  /** @deadline Redis to count a call. The call is served uncounted. */
  command: 1_000,
  /** @deadline A connection to the Redis that counts calls. It is opened again; calls are served uncounted. */
  connect: 5_000,
  /** @deadline Data from the Redis that counts calls while a command is open. A new connection is opened. */
  answer: 5_000,
};

/**
 * Connects to the Redis that counts calls. Commands fail fast, so a call never waits for an unreachable Redis.
 *
 * @throws FatalError `redis_unreachable`
 */
export async function connectCounters(url: string, context: ServiceContext): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: counterDeadlines.command,
    connectTimeout: counterDeadlines.connect,
    socketTimeout: counterDeadlines.answer,
    retryStrategy: (times) => Math.min(5_000, 100 * 2 ** times),
  });
  let isUp = false;
  redis.on("ready", () => {
    isUp = true;
  });
  redis.on("error", (error) => {
    if (isUp) context.logger.warn({ event: "redis_unreachable", error });
    isUp = false;
  });
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw new FatalError("Redis does not answer.", {
      code: "redis_unreachable",
      hint: "Check REDIS_URL and that the server is running.",
      cause: error,
    });
  }
  context.onStop("redis", () => redis.disconnect());
  return redis;
}

export type CallLimits = {
  general: RequestHandler;
  /** Calls that run a task; default: as other calls. */
  tasks?: RequestHandler;
  signIn: RequestHandler;
  writes: RequestHandler;
};

/** Creates the rate limits. Calls are counted by API key, or by IP address without one. */
export function createLimits(redis: Pick<Redis, "call">, limits: Limits): CallLimits {
  // A rotation gives no further calls.
  const byKey = (partner: Partner) => `key:${partner.limitKeyId}`;
  const byWallet = (partner: Partner) => `wallet:${partner.wallet}`;
  const limiter = (name: string, limit: (partner: Partner | undefined) => number, nameOf = byKey) =>
    rateLimit({
      windowMs: countWindow,
      limit: (_request, response) => limit(partnerIn(response)),
      keyGenerator: (request, response) => {
        const partner = partnerIn(response);
        return partner === undefined ? `ip:${ipKeyGenerator(request.ip ?? "")}` : nameOf(partner);
      },
      standardHeaders: "draft-8",
      legacyHeaders: false,
      identifier: name,
      store: storeOf(createCallCounts(redis, `ngpu:rate:${name}:`)),
      handler: (_request, _response, next, options) =>
        next(
          new InputError("Too many requests.", {
            code: "rate_limited",
            status: 429,
            hint: "Wait for the time in the retry-after header.",
            details: { perMinute: options.limit },
          }),
        ),
    });
  const general = limiter("all", (partner) =>
    partner === undefined
      ? limits.perAddress
      : Math.min(limits.perKey, partner.ratePerMinute ?? limits.perKey),
  );
  const tasks = limiter("tasks", (partner) =>
    partner === undefined ? limits.perAddress : (limits.tasks ?? limits.perKey),
  );
  return {
    general,
    // A key with a limit of its own counts all its calls together, and a caller without a key runs no task.
    tasks: (request, response, next) => {
      const partner = partnerIn(response);
      const isCounted = partner !== undefined && partner.ratePerMinute === null;
      return (isCounted ? tasks : general)(request, response, next);
    },
    signIn: limiter("sign-in", () => limits.signIn),
    writes: limiter("writes", () => limits.writes, byWallet),
  };
}

const storeOf = (counts: CallCounts): Store => ({
  increment: (key) => counts.add(key),
  decrement: () => undefined,
  resetKey: (key) => counts.reset(key),
});
