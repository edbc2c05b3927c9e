import type { ChainClient } from "@ngpu/chain-reader/client";
import { requireSameChain } from "@ngpu/chain-reader/requireSameChain";
import type { Database } from "@ngpu/db/pool";
import { isRetryable, RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { Address, Hex } from "viem";
import type { GasOracle } from "./gas.ts";
import { userOfNonce } from "./nonceUse.ts";
import { type Mined, receiptOf } from "./receipts.ts";
import { isKnown, unstick } from "./sendRepair.ts";
import * as store from "./sendStore.ts";

/** An unmined transaction is broadcast again after this time, because an endpoint may have dropped it. */
const rebroadcastMs = 10_000;
/** Where the receipt of a used nonce is missing for this time, the chain's blocks are asked who used it; and so every time after it. */
const missingMs = 8_000;
/**
 * @deadline A proof of who used a nonce, from endpoints that have neither a receipt nor the history. The transaction counts as replaced
 *   by another program's.
 */
const unprovenMs = 600_000;
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
  missing: Map<bigint, { since: number; askedAt: number }>;
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
    (row) => apart(tracked, row, () => settleMined(tracked, row, counted)),
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

/** Keeps the error of one transaction from the others. The next round tries it again. */
async function apart(
  { logger }: Tracked,
  { kind, nonce, hashes }: store.StoredTransaction,
  act: () => Promise<void>,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!isRetryable(error)) throw error;
    logger.warn({ event: "receipt_unread", kind, nonce, hash: hashes[0], error });
  }
}

/** Settles a transaction whose nonce is used on the chain. */
async function settleMined(
  tracked: Tracked,
  row: store.StoredTransaction,
  chainNonce: bigint,
): Promise<void> {
  const { pool, client, address, logger } = tracked;
  const mined = await receiptOf(client, row.hashes);
  if (mined !== undefined) {
    await markMined(pool, row.id, mined);
    settle(tracked, row.id, (waiter) => waiter.resolve(mined));
    return;
  }
  if (!(await isReplaced(tracked, row))) return;
  await requireSameChain(client);
  await store.markFailed(pool, { id: row.id, signer: address, chainNonce });
  logger.error({ event: "nonce_used", kind: row.kind, nonce: row.nonce, hash: row.hashes[0] });
  const error = new RetryableError(`Nonce ${row.nonce} of ${address} was used by another program.`, {
    code: "nonce_used",
    hint: "Use the key of this account for this market only.",
  });
  settle(tracked, row.id, (waiter) => waiter.reject(error));
}

/** Whether a transaction without a receipt can no longer be mined: another program's has its nonce. */
async function isReplaced(
  { client, address, logger, missing }: Tracked,
  { id, kind, nonce, hashes, signed_block: signedBlock }: store.StoredTransaction,
): Promise<boolean> {
  const now = Date.now();
  const { since, askedAt } = missing.get(id) ?? { since: now, askedAt: now };
  const isDue = now - askedAt >= missingMs;
  missing.set(id, { since, askedAt: isDue ? now : askedAt });
  if (!isDue) return false;
  try {
    if ((await userOfNonce(client, { address, nonce, hashes, signedBlock })) === "other") return true;
    logger.warn({ event: "receipt_missing", kind, nonce, hash: hashes[0] });
    return false;
  } catch (error) {
    logger.warn({ event: "receipt_missing", kind, nonce, hash: hashes[0], error });
    return now - since >= unprovenMs;
  }
}

/**
 * Settles the waiting sends whose rows another process has settled, and those stored by another account. The process
 * of that account may have stopped, so its signed bytes are broadcast from here.
 */
async function settleFromStore(tracked: Tracked): Promise<void> {
  const { pool, address, waiters } = tracked;
  for (const row of await store.byIds(pool, [...waiters.keys()])) {
    if (row.status === "failed") {
      const error = new RetryableError(`Nonce ${row.nonce} was taken.`, {
        code: "nonce_used",
        hint: "Send the transaction again. Use the key of this account for this market only.",
      });
      settle(tracked, row.id, (waiter) => waiter.reject(error));
      continue;
    }
    if (row.status === "sent" && row.signer === address) continue;
    await apart(tracked, row, () => settleWaiting(tracked, row));
  }
}

async function settleWaiting(tracked: Tracked, row: store.StoredTransaction): Promise<void> {
  const { pool, client } = tracked;
  const mined = await receiptOf(client, row.hashes);
  if (mined === undefined) {
    if (row.status === "sent" && isDue(tracked, row)) await broadcast(tracked, row);
    return;
  }
  if (row.status === "sent") await markMined(pool, row.id, mined);
  settle(tracked, row.id, (waiter) => waiter.resolve(mined));
}

async function markFinal(tracked: Tracked): Promise<void> {
  const { pool, client, address } = tracked;
  if (Date.now() - tracked.lastFinalityCheck <= finalityMs) return;
  tracked.lastFinalityCheck = Date.now();
  const { number } = await client.getBlock({ blockTag: "finalized" });
  await store.markFinal(pool, address, number);
}

function settle(
  { waiters, lastBroadcast, missing }: Tracked,
  id: bigint,
  act: (waiter: Waiter) => void,
): void {
  lastBroadcast.delete(id);
  missing.delete(id);
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
