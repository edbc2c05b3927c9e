import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Database } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import type { Address, Hex } from "viem";
import type { GasOracle } from "./gas.ts";
import * as store from "./sendStore.ts";

/** The lowest pending nonce is stuck after this time and this number of blocks. */
const stuckMs = 20_000;
const stuckBlocks = 6n;
/** A fee is not raised above this multiple of the current market fee. */
const maxFeeMultiple = 10n;

type UnstickOptions = {
  pool: Database;
  address: Address;
  gasOracle: GasOracle;
  sign: (unsigned: store.Unsigned) => Promise<store.Signed>;
  logger: Logger;
};

/** Replaces a stuck transaction by one with a higher fee under the same nonce. */
export async function unstick(
  { pool, address, gasOracle, sign, logger }: UnstickOptions,
  row: store.StoredTransaction,
  broadcast: (row: store.StoredTransaction) => Promise<void>,
): Promise<void> {
  if (Date.now() - row.signed_at.getTime() < stuckMs) return;
  const market = await gasOracle.market();
  if (market.block < row.signed_block + stuckBlocks) return;
  const maxFee = larger(market.maxFee, (row.max_fee * 5n) / 4n + 1n);
  const maxPriorityFee = larger(market.maxPriorityFee, (row.max_priority_fee * 5n) / 4n + 1n);
  if (maxFee > market.maxFee * maxFeeMultiple) return;
  const call = { to: row.to_address, data: row.data, gas: row.gas };
  const signed = await sign({ ...call, nonce: row.nonce, maxFee, maxPriorityFee });
  const next = { ...signed, maxFee, maxPriorityFee, block: market.block };
  if (!(await store.replace(pool, row, next))) return;
  logger.warn({ event: "transaction_repriced", kind: row.kind, nonce: row.nonce, address, maxFee });
  await broadcast({ ...row, raw: signed.raw, hashes: [signed.hash, ...row.hashes] });
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Whether the endpoint has the transaction, mined or pending. */
export async function isKnown(client: ChainClient, hash: Hex): Promise<boolean> {
  try {
    await client.getTransaction({ hash });
    return true;
  } catch {
    // Not found, or no response: in both cases a later poll broadcasts it again.
    return false;
  }
}
