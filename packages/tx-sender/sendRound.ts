import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Database } from "@ngpu/db/pool";
import { RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { Address, Hex } from "viem";
import type { GasOracle } from "./gas.ts";
import { isKnown, type Mined, receiptOf, unstick } from "./sendRepair.ts";
import * as store from "./sendStore.ts";

/** An unmined transaction is broadcast again after this time, because an endpoint may have dropped it. */
const rebroadcastMs = 10_000;
/** A used nonce without a receipt of ours after this time was used by a foreign transaction. */
const missingMs = 8_000;
/** Interval of reading the finalized block, ms. */
const finalityMs = 10_000;

/** An account whose transactions are followed, with the state that is kept in memory only. */
export type Tracked = {
  pool: Database;
  client: ChainClient;
  address: Address;
  gasOracle: GasOracle;
  sign: (unsigned: store.Unsigned) => Promise<store.Signed>;
  logger: Logger;
  /** The sends that wait, by transaction id. */
  waiters: Map<bigint, Waiter>;
  lastBroadcast: Map<bigint, number>;
  missingSince: Map<bigint, number>;
  lastFinalityCheck: number;
};

export type Waiter = PromiseWithResolvers<Mined> & { count: number };

/** Compares the stored transactions of the account with the chain, once. */
export async function trackRound(tracked: Tracked): Promise<void> {
  const { pool, client, address } = tracked;
  const rows = await store.outstanding(pool, address);
  const mayReorg = await store.hasUnfinalized(pool, address);
  if (rows.length === 0 && !mayReorg) return settleFromStore(tracked);
  const counted = BigInt(await client.getTransactionCount({ address, blockTag: "latest" }));
  const reopened = mayReorg ? await reopen(tracked, counted) : 0;
  await inGroups(
    rows.filter((row) => row.nonce < counted),
    (row) => settleMined(tracked, row, counted),
  );
  const open = rows.filter((row) => row.nonce >= counted);
  for (const row of open) if (isDue(tracked, row)) await broadcast(tracked, row);
  const [first] = open;
  if (first !== undefined) await unstick(tracked, first, (row) => broadcast(tracked, row));
  await settleFromStore(tracked);
  if (mayReorg && reopened === 0) await markFinal(tracked);
}

export async function broadcast(tracked: Tracked, row: store.StoredTransaction): Promise<void> {
  const { client, lastBroadcast, logger } = tracked;
  const { id, kind, nonce } = row;
  lastBroadcast.set(id, Date.now());
  try {
    await client.sendRawTransaction({ serializedTransaction: row.raw });
  } catch (error) {
    // It may be pending, mined or refused. The endpoint's state determines which.
    if (await isKnown(client, row.hashes[0] as Hex)) return;
    logger.warn({ event: "broadcast_failed", kind, nonce, hash: row.hashes[0], error });
  }
}

/** Broadcasts transactions again that a reorg removed. @returns Their number. */
async function reopen(tracked: Tracked, counted: bigint): Promise<number> {
  const { pool, address, logger } = tracked;
  const reopened = await store.reopen(pool, address, counted);
  for (const row of reopened) {
    logger.warn({ event: "transaction_reorged", kind: row.kind, nonce: row.nonce });
    await broadcast(tracked, row);
  }
  return reopened.length;
}

/** Settles a transaction whose nonce is used on the chain. */
async function settleMined(
  tracked: Tracked,
  row: store.StoredTransaction,
  chainNonce: bigint,
): Promise<void> {
  const { pool, client, address, logger, missingSince } = tracked;
  const mined = await receiptOf(client, row.hashes);
  if (mined !== undefined) {
    await markMined(pool, row.id, mined);
    settle(tracked, row.id, (waiter) => waiter.resolve(mined));
    return;
  }
  const since = missingSince.get(row.id) ?? Date.now();
  missingSince.set(row.id, since);
  if (Date.now() - since < missingMs) return;
  await store.markFailed(pool, { id: row.id, signer: address, chainNonce });
  logger.error({ event: "nonce_used", kind: row.kind, nonce: row.nonce, hash: row.hashes[0] });
  const error = new RetryableError(`Nonce ${row.nonce} of ${address} was used by another program.`, {
    code: "nonce_used",
    hint: "Use SIGNER_KEY for this market only.",
  });
  settle(tracked, row.id, (waiter) => waiter.reject(error));
}

/**
 * Settles the waiting sends whose rows another process has settled, and those stored by another account. The process
 * of that account may have stopped, so its signed bytes are broadcast from here.
 */
async function settleFromStore(tracked: Tracked): Promise<void> {
  const { pool, client, address, waiters } = tracked;
  for (const row of await store.byIds(pool, [...waiters.keys()])) {
    if (row.status === "failed") {
      const error = new RetryableError(`Nonce ${row.nonce} was taken.`, {
        code: "nonce_used",
        hint: "Send the transaction again. Use SIGNER_KEY for this market only.",
      });
      settle(tracked, row.id, (waiter) => waiter.reject(error));
      continue;
    }
    if (row.status === "sent" && row.signer === address) continue;
    const mined = await receiptOf(client, row.hashes);
    if (mined === undefined) {
      if (row.status === "sent" && isDue(tracked, row)) await broadcast(tracked, row);
      continue;
    }
    if (row.status === "sent") await markMined(pool, row.id, mined);
    settle(tracked, row.id, (waiter) => waiter.resolve(mined));
  }
}

async function markFinal(tracked: Tracked): Promise<void> {
  const { pool, client, address } = tracked;
  if (Date.now() - tracked.lastFinalityCheck <= finalityMs) return;
  tracked.lastFinalityCheck = Date.now();
  const { number } = await client.getBlock({ blockTag: "finalized" });
  await store.markFinal(pool, address, number);
}

function settle(
  { waiters, lastBroadcast, missingSince }: Tracked,
  id: bigint,
  act: (waiter: Waiter) => void,
): void {
  lastBroadcast.delete(id);
  missingSince.delete(id);
  const waiter = waiters.get(id);
  waiters.delete(id);
  if (waiter !== undefined) act(waiter);
}

function isDue({ lastBroadcast }: Tracked, row: store.StoredTransaction): boolean {
  return Date.now() - (lastBroadcast.get(row.id) ?? row.signed_at.getTime()) > rebroadcastMs;
}

function markMined(pool: Database, id: bigint, { hash, receipt }: Mined): Promise<void> {
  const reverted = receipt.status === "reverted";
  return store.markMined(pool, id, { hash, blockNumber: receipt.blockNumber, reverted });
}

async function inGroups<Item>(items: Item[], act: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += 20) {
    await Promise.all(items.slice(start, start + 20).map(act));
  }
}
