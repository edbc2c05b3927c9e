import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Address, Hex } from "viem";
import { translateChainError, unfunded } from "./revertReason.ts";

export type Fees = { maxFee: bigint; maxPriorityFee: bigint };

export type GasOracle = {
  /** Simulates a call and says what to sign it with. */
  quote(call: { to: Hex; data: Hex; kind: string }): Promise<{ block: bigint; fees: Fees & { gas: bigint } }>;
  /** The market's fees of now, at most a block old. */
  market(): Promise<Fees & { block: bigint; balance: bigint }>;
};

/** How long a look at fees and balance serves, in ms: a block. */
const freshMs = 2_000;

/** No transaction may have more (EIP-7825). */
const gasLimit = 16_777_216n;

/** Prices transactions of one account. A burst of sends shares one look at the market. */
export function createGasOracle({ client, address }: { client: ChainClient; address: Address }): GasOracle {
  let taken = 0;
  let cached: ReturnType<GasOracle["market"]> | undefined;
  const ask = async () => {
    const [block, tip, balance] = await Promise.all([
      client.getBlock({ blockTag: "latest" }),
      client.estimateMaxPriorityFeePerGas(),
      client.getBalance({ address }),
    ]);
    return {
      block: block.number,
      balance,
      maxPriorityFee: tip,
      // Room for the base fee to double before it is mined; what is not needed is not paid.
      maxFee: 2n * (block.baseFeePerGas ?? 0n) + tip,
    };
  };
  const market = () => {
    if (cached === undefined || Date.now() - taken > freshMs) {
      taken = Date.now();
      const asked = ask();
      cached = asked;
      asked.catch(() => {
        if (cached === asked) cached = undefined;
      });
    }
    return cached;
  };
  return {
    market,
    async quote({ to, data, kind }) {
      try {
        const [used, now] = await Promise.all([client.estimateGas({ account: address, to, data }), market()]);
        // An estimate is the least with which the call does not revert: a batch that refuses what runs out of gas would
        // do with less than its items need, and items that are refused now may be accepted then.
        const padded = (used * 3n) / 2n + 200_000n;
        const gas = used > gasLimit ? used : padded > gasLimit ? gasLimit : padded;
        if (now.balance < gas * now.maxFee) {
          throw unfunded(undefined, { address, balance: now.balance, needed: gas * now.maxFee });
        }
        return { block: now.block, fees: { gas, maxFee: now.maxFee, maxPriorityFee: now.maxPriorityFee } };
      } catch (error) {
        throw translateChainError(error, kind);
      }
    },
  };
}
