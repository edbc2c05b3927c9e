import { createHash } from "node:crypto";
import type { RpcClient } from "@ngpu/chain-reader/rpc";
import { type AbiName, abis } from "@ngpu/contracts-sdk/abis";
import {
  type AbiEvent,
  type Address,
  createPublicClient,
  custom,
  encodeAbiParameters,
  encodeEventTopics,
  getAbiItem,
  type Hex,
  HttpRequestError,
  hexToBigInt,
  numberToHex,
  pad,
  TimeoutError,
} from "viem";
import { bloomBits } from "../../../packages/chain-reader/bloom.ts";

/** A log as a test defines it. The chain adds block and index. */
export type ScriptedLog = { address: Address; topics: Hex[]; data: Hex };

export type ScriptedBlock = {
  number: bigint;
  hash: Hex;
  parentHash: Hex;
  timestamp: bigint;
  logs: ScriptedLog[];
};

/** Injected faults of an endpoint, each with its probability for a request. */
export type Faults = Partial<
  Record<
    "timeout" | "busy" | "broken" | "nullBlock" | "cut" | "otherFork" | "hidden" | "missing" | "lag",
    number
  >
> & {
  /** Maximum number of blocks of one eth_getLogs request. */
  rangeLimit?: bigint;
};

/** Addresses of the contracts. */
export const testContracts = Object.fromEntries(
  ["AccessManager", ...Object.keys(abis)].map((name, index) => [
    name,
    pad(numberToHex(0xc0de00 + index), { size: 20 }),
  ]),
) as Record<AbiName | "AccessManager", Address>;

/** Addresses of the replaced contracts, which keep serving what they began. */
export const previousContracts = Object.fromEntries(
  (["Escrow", "Pomc", "DockerContract", "Progress", "Measure", "ProofWaves"] as const).map((name, index) => [
    name,
    pad(numberToHex(0xf0e000 + index), { size: 20 }),
  ]),
) as Record<"Escrow" | "Pomc" | "DockerContract" | "Progress" | "Measure" | "ProofWaves", Address>;

const none = {
  workspaces: 0,
  authorizations: 0,
  rounds: 0,
  measurers: 0,
  waves: 0,
  epochs: 0,
  batches: 0,
};

/** Both generations, as in a deployment. */
export const testGenerations = {
  contracts: testContracts,
  previous: [{ contracts: previousContracts, parameters: { before: none } }],
};

export const testAddresses = [...Object.values(testContracts), ...Object.values(previousContracts)];

/** A log of one of the market's contracts. */
export function eventLog(
  contract: AbiName,
  event: string,
  args: Record<string, unknown>,
  address: Address = testContracts[contract],
): ScriptedLog {
  const abi = getAbiItem({ abi: abis[contract], name: event as never }) as unknown as AbiEvent;
  return encodeEvent(address, abi, args);
}

/** A log of any event at any address. */
export function encodeEvent(address: Address, abi: AbiEvent, args: Record<string, unknown>): ScriptedLog {
  const open = abi.inputs.filter((input) => input.indexed !== true);
  return {
    address,
    topics: encodeEventTopics({ abi: [abi], eventName: abi.name, args } as never) as Hex[],
    data: encodeAbiParameters(
      open,
      open.map((input) => args[input.name as string]),
    ),
  };
}

/**
 * A chain with scripted blocks, reorgs and faults behind a JSON-RPC transport. It replaces the endpoint, because a test
 * cannot make a real one misbehave on demand.
 *
 * @param random Returns numbers from 0 to below 1; selects the faults that occur.
 */
export function createScriptedChain(random: () => number = () => 0.5) {
  let salt = 0;
  let blocks: ScriptedBlock[] = [block(undefined, [])];
  let fork: ScriptedBlock[] = [];
  let faults: Faults = {};
  let requests = 0;

  function block(parent: ScriptedBlock | undefined, logs: ScriptedLog[]): ScriptedBlock {
    const number = parent === undefined ? 0n : parent.number + 1n;
    const parentHash = parent?.hash ?? pad("0x", { size: 32 });
    const content = JSON.stringify([parentHash, salt++, logs]);
    const hash: Hex = `0x${createHash("sha256").update(content).digest("hex")}`;
    return { number, hash, parentHash, timestamp: 1_700_000_000n + 2n * number, logs };
  }

  const chance = (kind: Exclude<keyof Faults, "rangeLimit">) => random() < (faults[kind] ?? 0);

  function request({ method, params }: { method: string; params?: unknown }): unknown {
    requests += 1;
    if (chance("timeout")) throw new TimeoutError({ body: {}, url: "scripted" });
    if (chance("busy")) throw new HttpRequestError({ url: "scripted", status: 429 });
    if (chance("broken")) throw new HttpRequestError({ url: "scripted", status: 500 });
    // Like a second endpoint behind the same address, a few blocks behind or still on the abandoned fork.
    const view = chance("lag") ? lagging() : blocks;
    if (method === "eth_chainId") return numberToHex(31337);
    if (method === "eth_getBlockByNumber") return header((params as [string])[0], view);
    if (method === "eth_getLogs") return logs((params as [LogQuery])[0], view);
    throw new Error(`The scripted chain does not serve ${method}`);
  }

  function lagging(): ScriptedBlock[] {
    const old = fork.length > 0 && random() < 0.5 ? fork : blocks;
    return old.slice(0, Math.max(1, old.length - Math.floor(random() * 4)));
  }

  function header(at: string, view: ScriptedBlock[]): unknown {
    if (chance("nullBlock")) return null;
    const depth = at === "safe" ? 4 : at === "finalized" ? 8 : 0;
    const index = at.startsWith("0x") ? Number(hexToBigInt(at as Hex)) : Math.max(0, view.length - 1 - depth);
    const found = view[index];
    if (found === undefined) return null;
    const { number, hash, parentHash, timestamp } = found;
    const complete = {
      number: numberToHex(number),
      hash,
      parentHash,
      timestamp: numberToHex(timestamp),
      logsBloom: bloomOf(found.logs),
    };
    return chance("cut") ? { ...complete, parentHash: undefined } : complete;
  }

  function logs(query: LogQuery, view: ScriptedBlock[]): unknown {
    if (query.blockHash !== undefined) {
      const found = [...view, ...fork].find(({ hash }) => hash === query.blockHash);
      if (found === undefined) throw new HttpRequestError({ url: "scripted", status: 400 });
      return chance("missing") ? [] : filtered(found, query);
    }
    const from = Number(hexToBigInt(query.fromBlock));
    const to = Number(hexToBigInt(query.toBlock));
    if (faults.rangeLimit !== undefined && BigInt(to - from + 1) > faults.rangeLimit) {
      throw new HttpRequestError({ url: "scripted", status: 413 });
    }
    // "hidden": some endpoints respond like this for blocks that they do not have.
    if (chance("hidden")) return [];
    const source = chance("otherFork") && fork.length > to ? fork : view;
    const found = source
      .slice(from, to + 1)
      .flatMap((entry) => (chance("missing") ? [] : filtered(entry, query)));
    return chance("cut")
      ? found.map(({ blockHash, ...rest }) => (random() < 0.5 ? rest : { blockHash, ...rest }))
      : found;
  }

  const client = createPublicClient({
    transport: custom({ request: async (call) => request(call) }, { retryCount: 0 }),
  }) as RpcClient;

  return {
    client,
    blocks: () => blocks,
    head: () => blocks[blocks.length - 1] as ScriptedBlock,
    requests: () => requests,
    mine: (...contents: ScriptedLog[][]) => {
      for (const logsOf of contents) blocks = [...blocks, block(blocks.at(-1), logsOf)];
    },
    /** Removes the newest `depth` blocks. An endpoint that lags can still return them. */
    rewind: (depth: number) => {
      fork = blocks;
      blocks = blocks.slice(0, Math.max(1, blocks.length - depth));
    },
    /** Becomes another endpoint of the same chain. */
    copy: (other: { blocks: () => ScriptedBlock[] }) => {
      blocks = other.blocks();
    },
    misbehave: (kinds: Faults) => {
      faults = kinds;
    },
  };
}

export type ScriptedChain = ReturnType<typeof createScriptedChain>;

type LogQuery = {
  address?: Address[];
  topics?: (Hex | Hex[] | null)[];
  blockHash?: Hex;
  fromBlock: Hex;
  toBlock: Hex;
};

function filtered(block: ScriptedBlock, query: LogQuery) {
  const addresses = query.address?.map((address) => address.toLowerCase());
  return block.logs
    .map((log, index) => ({
      ...log,
      blockNumber: numberToHex(block.number),
      blockHash: block.hash,
      transactionHash: `0x${createHash("sha256").update(`${block.hash}${index}`).digest("hex")}`,
      logIndex: numberToHex(index),
      removed: false,
    }))
    .filter((log) => addresses?.includes(log.address.toLowerCase()) ?? true)
    .filter((log) =>
      (query.topics ?? []).every(
        (topic, at) => topic === null || [topic].flat().includes(log.topics[at] as Hex),
      ),
    );
}

const blooms = new WeakMap<ScriptedLog[], Hex>();

/** The bloom filter of a block's logs, cached: a block is read many times, and hashing is expensive. */
function bloomOf(logs: ScriptedLog[]): Hex {
  const known = blooms.get(logs);
  if (known !== undefined) return known;
  const bloom = Buffer.alloc(256);
  for (const value of new Set(logs.flatMap((log) => [log.address, ...log.topics]))) {
    for (const { byte, mask } of bloomBits(value)) bloom[byte] = (bloom[byte] ?? 0) | mask;
  }
  const hex: Hex = `0x${bloom.toString("hex")}`;
  blooms.set(logs, hex);
  return hex;
}

/** A small deterministic random number generator. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
