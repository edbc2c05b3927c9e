import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Address, Hex } from "viem";
import { translateChainError, unfundedError } from "./revertReason.ts";

export type Fees = { maxFee: bigint; maxPriorityFee: bigint };

export type GasOracle = {
  /** Simulates a call and returns gas and fees for its transaction, in wei. */
  quote(call: { to: Hex; data: Hex; kind: string }): Promise<{ block: bigint; fees: Fees & { gas: bigint } }>;
  /** Current fees and the balance of the account in wei, cached for one block. */
  market(): Promise<Fees & { block: bigint; balance: bigint }>;
};

/** Milliseconds for which fees and balance are cached: one block. */
const maxAgeMs = 2_000;

/** Gas limit of a transaction (EIP-7825). */
const gasLimit = 16_777_216n;

/** Estimates gas and fees for transactions of one account. Concurrent sends share one request for the current fees. */
export function createGasOracle(account: { client: ChainClient; address: Address }): GasOracle {
  const { client, address } = account;
  let requestedAt = 0;
  let cached: ReturnType<GasOracle["market"]> | undefined;
  const market = () => {
    if (cached === undefined || Date.now() - requestedAt > maxAgeMs) {
      requestedAt = Date.now();
      const requested = readMarket(account);
      cached = requested;
      requested.catch(() => {
        if (cached === requested) cached = undefined;
      });
    }
    return cached;
  };
  return {
    market,
    async quote({ to, data, kind }) {
      try {
        const [used, now] = await Promise.all([client.estimateGas({ account: address, to, data }), market()]);
        const gas = gasFor(used);
        if (now.balance < gas * now.maxFee) {
          throw unfundedError(undefined, { address, balance: now.balance, needed: gas * now.maxFee });
        }
        return { block: now.block, fees: { gas, maxFee: now.maxFee, maxPriorityFee: now.maxPriorityFee } };
      } catch (error) {
        throw translateChainError(error, kind);
      }
    },
  };
}

async function readMarket({ client, address }: { client: ChainClient; address: Address }) {
  const [block, tip, balance] = await Promise.all([
    client.getBlock({ blockTag: "latest" }),
    client.estimateMaxPriorityFeePerGas(),
    client.getBalance({ address }),
  ]);
  return {
    block: block.number,
    balance,
    maxPriorityFee: tip,
    // Allows the base fee to double before the transaction is mined. Only the actual base fee is paid.
    maxFee: 2n * (block.baseFeePerGas ?? 0n) + tip,
  };
}

/**
 * The gas of a transaction. The estimate is the least gas with which the call does not revert. A batch needs more: it skips
 * items that run out of gas, and items that are refused in the simulation may be accepted on the chain.
 */
function gasFor(estimate: bigint): bigint {
  if (estimate > gasLimit) return estimate;
  const padded = (estimate * 3n) / 2n + 200_000n;
  return padded > gasLimit ? gasLimit : padded;
}
