import type { Address, Hex } from "viem";
import { startAnvil } from "../../support/anvil.ts";
import { compileEmitter, type EncodedLog, emitterCall } from "../../support/emitter.ts";
import { emitter, marketEvents } from "../export/events.ts";

/** The position of an event: block number, block hash, log index. */
export type Position = string;

const perBlock = 10;

/** A node with events of a market in each block. Its newest blocks can be replaced. */
export async function startReorgChain(stateDir: string) {
  const { url, rpc, stop } = await startAnvil({ stateDir, args: ["--prune-history", "2000"] });
  await rpc("anvil_setCode", [emitter, compileEmitter()]);
  const [from] = await rpc<Address[]>("eth_accounts");
  const events = marketEvents(Number.MAX_SAFE_INTEGER);
  const transaction = () => {
    const logs = Array.from({ length: perBlock }, () => events.next().value as EncodedLog);
    return { from, to: emitter, data: emitterCall(logs), gas: "0xe00000", gasPrice: "0x0" };
  };
  await rpc("evm_mine");
  return {
    url,
    stop,
    head: async () => {
      const { number, hash } = await rpc<{ number: Hex; hash: Hex }>("eth_getBlockByNumber", [
        "latest",
        false,
      ]);
      return { number: BigInt(number), hash };
    },
    mine: async (blocks: number) => {
      for (let block = 0; block < blocks; block++) {
        await rpc("eth_sendTransaction", [transaction()]);
        await rpc("evm_mine");
      }
    },
    /** Replaces the newest `depth` blocks by as many blocks with other events. */
    reorg: async (depth: number) => {
      const pairs = Array.from({ length: depth }, (_, block) => [transaction(), block]);
      await rpc("anvil_reorg", [depth, pairs]);
    },
    /** The positions of all events. */
    positions: async (): Promise<Set<Position>> => {
      const query = { address: emitter, fromBlock: "0x1", toBlock: "latest" };
      const logs = await rpc<{ blockNumber: Hex; blockHash: Hex; logIndex: Hex }[]>("eth_getLogs", [query]);
      return new Set(
        logs.map(
          ({ blockNumber, blockHash, logIndex }) => `${Number(blockNumber)} ${blockHash} ${Number(logIndex)}`,
        ),
      );
    },
  };
}
