import type { Hex } from "viem";
import { startAnvil } from "../../support/anvil.ts";
import { compileEmitter, type EncodedLog, emitterCall } from "../../support/emitter.ts";
import { emitter, marketEvents } from "./events.ts";

export type FilledChain = { url: string; startBlock: bigint; last: bigint; stop: () => Promise<void> };

const emptyBlocks = 70;

/** Starts anvil and mines blocks with the events distributed evenly over them. */
export async function startFilledChain(options: {
  stateDir: string;
  events: number;
  blocks: number;
}): Promise<FilledChain> {
  const { url, rpc, stop } = await startAnvil({ stateDir: options.stateDir });
  await rpc("anvil_setCode", [emitter, compileEmitter()]);
  const [from] = await rpc<Hex[]>("eth_accounts");
  await rpc("evm_mine");
  const events = marketEvents(options.events);
  for (let block = 1; block < options.blocks; block++) {
    const count = share(options.events, options.blocks - 1, block - 1);
    const data = emitterCall(Array.from({ length: count }, () => take(events)));
    await rpc("eth_sendTransaction", [{ from, to: emitter, data, gas: "0xe00000", gasPrice: "0x0" }]);
    await rpc("evm_mine");
  }
  const last = BigInt(await rpc<Hex>("eth_blockNumber"));
  // SQD stays one block behind the head; ponder's backfill ends 30 blocks behind it.
  for (let block = 0; block < emptyBlocks; block++) await rpc("evm_mine");
  return { url, startBlock: 1n, last, stop };
}

/** The size of part `index` when `total` items are distributed evenly over `parts` parts. */
function share(total: number, parts: number, index: number): number {
  return Math.floor((total * (index + 1)) / parts) - Math.floor((total * index) / parts);
}

function take(events: Iterator<EncodedLog>): EncodedLog {
  const { value } = events.next();
  if (value === undefined) throw new Error("There are fewer events than requested.");
  return value;
}
