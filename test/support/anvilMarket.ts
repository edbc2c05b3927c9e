import type { Address, Hex } from "viem";
import { type ScriptedLog, testAddresses } from "../packages/chain-reader/scriptedChain.ts";
import { createMarket } from "../services/autoExport/market.ts";
import { type Anvil, startAnvil } from "./anvil.ts";
import { compileEmitter, emitterCall } from "./emitter.ts";

export type AnvilMarket = Pick<Anvil, "url" | "rpc" | "stop"> & {
  /** Mines blocks with up to `acts` market actions each. */
  mine: (blocks: number, acts: number) => Promise<void>;
  /** Replaces the newest `depth` blocks by the same number of new ones, with up to `acts` actions each. */
  reorg: (depth: number, acts: number) => Promise<void>;
  head: () => Promise<{ number: bigint; hash: Hex }>;
};

// After a reorg anvil loses contracts from states that it had written to disk.
const statesInMemory = ["--prune-history", "2000"];

/**
 * A real node whose blocks and reorgs a test controls. The contracts at the market's addresses emit the logs listed in
 * the calldata, so that months of a market pass in seconds.
 */
export async function startAnvilMarket(options: {
  stateDir: string;
  random: () => number;
}): Promise<AnvilMarket> {
  const { random } = options;
  const { url, rpc, stop } = await startAnvil({ stateDir: options.stateDir, args: statesInMemory });
  const code = compileEmitter();
  for (const address of testAddresses) await rpc("anvil_setCode", [address, code]);
  const [from] = (await rpc<Address[]>("eth_accounts")) as [Address];
  const market = createMarket(random);

  const hashAt = async (number: bigint): Promise<Hex> =>
    (await rpc<{ hash: Hex }>("eth_getBlockByNumber", [hex(number), false])).hash;
  const head = async () => {
    const { number, hash } = await rpc<{ number: Hex; hash: Hex }>("eth_getBlockByNumber", ["latest", false]);
    return { number: BigInt(number), hash };
  };
  const transactions = (logs: ScriptedLog[]) => runsOf(logs).map((run) => transaction(from, run));
  const some = (acts: number) => Math.floor(random() * (acts + 1));

  return {
    url,
    rpc,
    stop,
    head,
    mine: async (blocks, acts) => {
      for (let block = 0; block < blocks; block++) {
        const { logs, settle } = market.next((await head()).hash, some(acts));
        for (const one of transactions(logs)) await rpc("eth_sendTransaction", [one]);
        await rpc("evm_mine");
        settle((await head()).hash);
      }
    },
    reorg: async (depth, acts) => {
      const ancestor = (await head()).number - BigInt(depth);
      const settles: ((hash: Hex) => void)[] = [];
      const pairs: [object, number][] = [];
      let parent = await hashAt(ancestor);
      for (let block = 0; block < depth; block++) {
        const { logs, settle } = market.next(parent, some(acts));
        pairs.push(...transactions(logs).map((one): [object, number] => [one, block]));
        // The hash is unknown before the reorg. Until then a placeholder identifies the block.
        parent = `0x${block}`;
        settle(parent);
        settles.push(settle);
      }
      await rpc("anvil_reorg", [depth, pairs]);
      for (const [index, settle] of settles.entries()) settle(await hashAt(ancestor + BigInt(index + 1)));
    },
  };
}

function transaction(from: Address, { address, logs }: Run) {
  return { from, to: address, data: emitterCall(logs), gas: "0x1000000", gasPrice: "0x0" };
}

type Run = { address: Address; logs: ScriptedLog[] };

/** Groups consecutive logs of the same contract. */
function runsOf(logs: readonly ScriptedLog[]): Run[] {
  const runs: Run[] = [];
  for (const log of logs) {
    const last = runs.at(-1);
    if (last?.address === log.address) last.logs.push(log);
    else runs.push({ address: log.address, logs: [log] });
  }
  return runs;
}

function hex(number: bigint): Hex {
  return `0x${number.toString(16)}`;
}
