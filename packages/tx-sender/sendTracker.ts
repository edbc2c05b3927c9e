import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Database } from "@ngpu/db/pool";
import { RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { startLoop } from "@ngpu/runtime/loop";
import type { Address, Hex } from "viem";
import type { GasStation } from "./gas.ts";
import { isKnown, type Mined, receiptOf, unstick } from "./sendRepair.ts";
import * as store from "./sendStore.ts";

/** Broadcast again after so long without being mined: an endpoint may have dropped it. */
const rebroadcastMs = 10_000;
/** A nonce that the chain has counted, with no receipt of ours after so long, went to somebody else's transaction. */
const missingMs = 8_000;

/** How often it is asked which blocks are final, in ms. */
const finalityMs = 10_000;

type Waiter = PromiseWithResolvers<Mined> & { count: number };

export type Tracker = {
  resume(): Promise<void>;
  broadcast(row: store.StoredTransaction): Promise<void>;
  wait(row: store.StoredTransaction, timeoutMs: number): Promise<Mined>;
};

export type TrackerOptions = {
  pool: Database;
  client: ChainClient;
  address: Address;
  gasStation: GasStation;
  sign: (unsigned: store.Unsigned) => Promise<store.Signed>;
  logger: Logger;
  signal: AbortSignal;
  pollMs?: number;
};

/**
 * Follows what is stored until it is mined and final. One question a look tells it all: how many of the account's nonces
 * the chain has counted. Below that number a transaction is mined (its receipt is fetched once), from it on it is not,
 * whatever was seen before.
 */
export function createTracker(options: TrackerOptions): Tracker {
  const { pool, client, address, logger, signal } = options;
  const waiters = new Map<bigint, Waiter>();
  const lastBroadcast = new Map<bigint, number>();
  const missingSince = new Map<bigint, number>();
  let finalityLook = 0;

  const broadcast = async (row: store.StoredTransaction) => {
    lastBroadcast.set(row.id, Date.now());
    try {
      await client.sendRawTransaction({ serializedTransaction: row.raw });
    } catch (error) {
      // Known already, mined already or refused: only the chain can tell which.
      if (await isKnown(client, row.hashes[0] as Hex)) return;
      logger.warn({
        event: "broadcast_failed",
        kind: row.kind,
        nonce: row.nonce,
        hash: row.hashes[0],
        error,
      });
    }
  };

  const settle = (id: bigint, act: (waiter: Waiter) => void) => {
    lastBroadcast.delete(id);
    missingSince.delete(id);
    const waiter = waiters.get(id);
    waiters.delete(id);
    if (waiter !== undefined) act(waiter);
  };

  const collect = async (row: store.StoredTransaction, chainNonce: bigint) => {
    const mined = await receiptOf(client, row.hashes);
    if (mined !== undefined) {
      await markMined(pool, row.id, mined);
      settle(row.id, (waiter) => waiter.resolve(mined));
      return;
    }
    const since = missingSince.get(row.id) ?? Date.now();
    missingSince.set(row.id, since);
    if (Date.now() - since < missingMs) return;
    await store.markFailed(pool, { id: row.id, signer: address, chainNonce });
    logger.error({ event: "nonce_taken", kind: row.kind, nonce: row.nonce, hash: row.hashes[0] });
    settle(row.id, (waiter) =>
      waiter.reject(
        new RetryableError(`Nonce ${row.nonce} of ${address} was used by another program.`, {
          code: "nonce_taken",
          hint: "Give SIGNER_KEY to this market alone.",
        }),
      ),
    );
  };

  // Rows that another process has settled, and rows of another account whose process may be gone: anyone may broadcast
  // the bytes that it stored.
  const settleFromStore = async () => {
    for (const row of await store.byIds(pool, [...waiters.keys()])) {
      if (row.status === "failed") {
        const error = new RetryableError(`Nonce ${row.nonce} was taken.`, { code: "nonce_taken" });
        settle(row.id, (waiter) => waiter.reject(error));
        continue;
      }
      if (row.status === "sent" && row.signer === address) continue;
      const mined = await receiptOf(client, row.hashes);
      if (mined === undefined) {
        if (row.status === "sent" && isDue(row)) await broadcast(row);
        continue;
      }
      if (row.status === "sent") await markMined(pool, row.id, mined);
      settle(row.id, (waiter) => waiter.resolve(mined));
    }
  };

  const isDue = (row: store.StoredTransaction) =>
    Date.now() - (lastBroadcast.get(row.id) ?? row.signed_at.getTime()) > rebroadcastMs;

  const round = async () => {
    const rows = await store.outstanding(pool, address);
    const mayReturn = await store.hasNotFinal(pool, address);
    if (rows.length === 0 && !mayReturn) return settleFromStore();
    const counted = BigInt(await client.getTransactionCount({ address, blockTag: "latest" }));
    const returned = mayReturn ? await store.reopen(pool, address, counted) : [];
    for (const row of returned) {
      logger.warn({ event: "transaction_reorged", kind: row.kind, nonce: row.nonce });
      await broadcast(row);
    }
    await inGroups(
      rows.filter((row) => row.nonce < counted),
      (row) => collect(row, counted),
    );
    for (const row of rows.filter(({ nonce }) => nonce >= counted)) {
      if (isDue(row)) await broadcast(row);
    }
    const first = rows.find((row) => row.nonce >= counted);
    if (first !== undefined) await unstick(options, first, broadcast);
    await settleFromStore();
    if (mayReturn && returned.length === 0 && Date.now() - finalityLook > finalityMs) {
      finalityLook = Date.now();
      const { number } = await client.getBlock({ blockTag: "finalized" });
      await store.markFinal(pool, address, number);
    }
  };

  const loop = startLoop({ name: `sender ${address}`, logger, signal, interval: 10_000 }, async () => {
    await round();
    if (waiters.size > 0) lookSoon();
  });
  let looking = false;
  // One timer for all that wait: a burst of sends makes no burst of looks.
  const lookSoon = () => {
    if (looking) return;
    looking = true;
    setTimeout(() => {
      looking = false;
      loop.wake();
    }, options.pollMs ?? 500).unref();
  };
  signal.addEventListener("abort", () => {
    for (const waiter of waiters.values()) waiter.reject(signal.reason);
  });

  return {
    broadcast,
    async resume() {
      const rows = await store.outstanding(pool, address);
      if (rows.length > 0) logger.info({ event: "transactions_resumed", count: rows.length });
      for (const row of rows) await broadcast(row);
    },
    async wait(row, timeoutMs) {
      signal.throwIfAborted();
      const waiter = waiters.get(row.id) ?? { ...Promise.withResolvers<Mined>(), count: 0 };
      waiter.count += 1;
      waiters.set(row.id, waiter);
      lookSoon();
      const late = Promise.withResolvers<never>();
      const patience = setTimeout(() => late.reject(tooSlow(row, timeoutMs)), timeoutMs);
      try {
        return await Promise.race([waiter.promise, late.promise]);
      } finally {
        clearTimeout(patience);
        waiter.count -= 1;
        if (waiter.count === 0 && waiters.get(row.id) === waiter) waiters.delete(row.id);
      }
    },
  };
}

function markMined(pool: Database, id: bigint, { hash, receipt }: Mined): Promise<void> {
  const reverted = receipt.status === "reverted";
  return store.markMined(pool, id, { hash, blockNumber: receipt.blockNumber, reverted });
}

function tooSlow(row: store.StoredTransaction, timeoutMs: number): RetryableError {
  return new RetryableError(`${row.kind} was not mined within ${timeoutMs / 1000} s.`, {
    code: "chain_slow",
    details: { hash: row.hashes[0], nonce: row.nonce },
  });
}

async function inGroups<Item>(items: Item[], act: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += 20) {
    await Promise.all(items.slice(start, start + 20).map(act));
  }
}
