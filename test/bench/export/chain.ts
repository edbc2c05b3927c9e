import { createRequire } from "node:module";
import { join } from "node:path";
import type { Hex } from "viem";
import { choosePort } from "../../../scripts/embedded/ports.ts";
import { startProcess } from "../../../scripts/embedded/process.ts";
import { type EncodedLog, emitter, marketEvents } from "./events.ts";
import { rpc } from "./rpc.ts";

export type FilledChain = { url: string; startBlock: bigint; last: bigint; stop: () => Promise<void> };

// Writes the logs its calldata lists: a byte with the count of topics, two with the size of the data, then both.
const emitterSource = `object "Emitter" { code {
  let at := 0
  for {} lt(at, calldatasize()) {} {
    let head := calldataload(at)
    let count := byte(0, head)
    let size := and(shr(232, head), 0xffff)
    let topics := add(at, 3)
    let data := add(topics, mul(count, 32))
    calldatacopy(0, data, size)
    switch count
    case 1 { log1(0, size, calldataload(topics)) }
    case 2 { log2(0, size, calldataload(topics), calldataload(add(topics, 32))) }
    case 3 { log3(0, size, calldataload(topics), calldataload(add(topics, 32)), calldataload(add(topics, 64))) }
    case 4 {
      log4(0, size, calldataload(topics), calldataload(add(topics, 32)), calldataload(add(topics, 64)),
        calldataload(add(topics, 96)))
    }
    at := add(data, size)
  }
} }`;

const emptyBlocks = 70;

/**
 * Starts anvil and fills a block with events after another, as evenly as they go.
 *
 * @param options.folder Where anvil is installed.
 */
export async function startFilledChain(options: {
  folder: string;
  stateDir: string;
  events: number;
  blocks: number;
}): Promise<FilledChain> {
  const port = await choosePort({ option: "--anvil-port" });
  const url = `http://127.0.0.1:${port}`;
  const quiet = ["--silent", "--no-cors", "--no-request-size-limit", "--no-mining"];
  const limits = ["--gas-limit", "1000000000", "--base-fee", "0"];
  const child = await startProcess({
    name: "anvil",
    command: process.execPath,
    args: [
      join(options.folder, "node_modules/@foundry-rs/anvil/bin.mjs"),
      "--port",
      `${port}`,
      ...quiet,
      ...limits,
    ],
    stateDir: options.stateDir,
    ready: async () => (await rpc(url, "eth_chainId", [])) !== undefined,
  });
  await rpc(url, "anvil_setCode", [emitter, compileEmitter()]);
  const [from] = (await rpc(url, "eth_accounts", [])) as Hex[];
  await rpc(url, "evm_mine", []);
  const events = marketEvents(options.events);
  for (let block = 1; block < options.blocks; block++) {
    const count = share(options.events, options.blocks - 1, block - 1);
    const data = `0x${Array.from({ length: count }, () => bytesOf(events.next().value)).join("")}`;
    await rpc(url, "eth_sendTransaction", [{ from, to: emitter, data, gas: "0xe00000", gasPrice: "0x0" }]);
    await rpc(url, "evm_mine", []);
  }
  const last = BigInt((await rpc(url, "eth_blockNumber", [])) as Hex);
  // SQD stays a block behind the head, ponder takes only what is 30 behind for history.
  for (let block = 0; block < emptyBlocks; block++) await rpc(url, "evm_mine", []);
  return { url, startBlock: 1n, last, stop: child.stop };
}

/** How many of `whole` things come to place `index` of `parts`, when all get alike. */
function share(whole: number, parts: number, index: number): number {
  return Math.floor((whole * (index + 1)) / parts) - Math.floor((whole * index) / parts);
}

function bytesOf(log: EncodedLog | undefined): string {
  if (log === undefined) throw new Error("There are fewer events than were asked for.");
  const size = (log.data.length - 2) / 2;
  const head = log.topics.length.toString(16).padStart(2, "0") + size.toString(16).padStart(4, "0");
  return head + log.topics.map((topic) => topic.slice(2)).join("") + log.data.slice(2);
}

function compileEmitter(): Hex {
  const solc = createRequire(import.meta.url)("solc") as { compile: (input: string) => string };
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: "Yul",
        sources: { "Emitter.yul": { content: emitterSource } },
        settings: {
          optimizer: { enabled: true },
          outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
        },
      }),
    ),
  );
  return `0x${output.contracts["Emitter.yul"].Emitter.evm.bytecode.object}`;
}
