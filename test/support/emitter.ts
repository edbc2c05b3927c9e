import { createRequire } from "node:module";
import type { Hex } from "viem";

/** A log in the form that the emitter takes. */
export type EncodedLog = { topics: readonly Hex[]; data: Hex };

// Emits the logs in its calldata. Each is a byte with the number of topics, two bytes with the size of the data, the
// topics and the data.
const source = `object "Emitter" { code {
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

/** Bytecode of a contract that emits the logs in its calldata. */
export function compileEmitter(): Hex {
  const solc = createRequire(import.meta.url)("solc") as { compile: (input: string) => string };
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: "Yul",
        sources: { "Emitter.yul": { content: source } },
        settings: {
          optimizer: { enabled: true },
          outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
        },
      }),
    ),
  );
  return `0x${output.contracts["Emitter.yul"].Emitter.evm.bytecode.object}`;
}

/** The calldata that makes the emitter emit these logs. */
export function emitterCall(logs: readonly EncodedLog[]): Hex {
  return `0x${logs.map(bytesOf).join("")}`;
}

function bytesOf({ topics, data }: EncodedLog): string {
  const size = (data.length - 2) / 2;
  const head = topics.length.toString(16).padStart(2, "0") + size.toString(16).padStart(4, "0");
  return head + topics.map((topic) => topic.slice(2)).join("") + data.slice(2);
}
