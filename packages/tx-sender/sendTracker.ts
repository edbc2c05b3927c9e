import { RetryableError } from "@ngpu/runtime/errors";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { Mined } from "./receipts.ts";
import { broadcast, type Tracked, trackRound } from "./sendRound.ts";
import * as store from "./sendStore.ts";

export type Tracker = {
  resume(): Promise<void>;
  broadcast(row: store.StoredTransaction): Promise<void>;
  wait(row: store.StoredTransaction, timeoutMs: number): Promise<Mined>;
};

export type TrackerOptions = Pick<
  Tracked,
  "pool" | "client" | "address" | "gasOracle" | "sign" | "logger"
> & {
  signal: AbortSignal;
  pollMs?: number;
};

/**
 * Follows stored transactions until they are mined and final. Each poll reads the account's nonce on the chain. A
 * transaction below that nonce is mined, and its receipt is read once. A transaction from that nonce on is not mined,
 * whatever was read before.
 */
export function createTracker(options: TrackerOptions): Tracker {
  const { pool, address, logger, signal, pollMs = 500 } = options;
  const tracked: Tracked = {
    ...options,
    waiters: new Map(),
    lastBroadcast: new Map(),
    missing: new Map(),
    lastFinalityCheck: 0,
  };
  const { waiters } = tracked;
  const timer: WakeTimer = { pollMs, isSet: false };
  const loop = startLoop({ name: `sender ${address}`, logger, signal, interval: 10_000 }, async () => {
    await trackRound(tracked);
    if (waiters.size > 0) wakeSoon(loop, timer);
  });
  signal.addEventListener("abort", () => {
    for (const waiter of waiters.values()) waiter.reject(signal.reason);
  });
  return {
    broadcast: (row) => broadcast(tracked, row),
    async resume() {
      const rows = await store.outstanding(pool, address);
      if (rows.length > 0) logger.info({ event: "transactions_resumed", count: rows.length });
      for (const row of rows) await broadcast(tracked, row);
    },
    async wait(row, timeoutMs) {
      signal.throwIfAborted();
      const mined = waitFor(tracked, row, timeoutMs);
      wakeSoon(loop, timer);
      return mined;
    },
  };
}

type WakeTimer = { pollMs: number; isSet: boolean };

/** Wakes the loop after `pollMs`. All sends share one timer, so that concurrent sends do not cause concurrent polls. */
function wakeSoon(loop: Loop, timer: WakeTimer): void {
  if (timer.isSet) return;
  timer.isSet = true;
  setTimeout(() => {
    timer.isSet = false;
    loop.wake();
  }, timer.pollMs).unref();
}

async function waitFor(
  { waiters }: Tracked,
  row: store.StoredTransaction,
  timeoutMs: number,
): Promise<Mined> {
  const waiter = waiters.get(row.id) ?? { ...Promise.withResolvers<Mined>(), count: 0 };
  waiter.count += 1;
  waiters.set(row.id, waiter);
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(tooSlow(row, timeoutMs)), timeoutMs);
  try {
    return await Promise.race([waiter.promise, late.promise]);
  } finally {
    clearTimeout(timer);
    waiter.count -= 1;
    if (waiter.count === 0 && waiters.get(row.id) === waiter) waiters.delete(row.id);
  }
}

function tooSlow(row: store.StoredTransaction, timeoutMs: number): RetryableError {
  return new RetryableError(`${row.kind} was not mined within ${timeoutMs / 1000} s.`, {
    code: "transaction_timeout",
    hint: "Wait, or send the request again with the same Idempotency-Key: the transaction stays queued.",
    details: { hash: row.hashes[0], nonce: row.nonce },
  });
}
