import { readLogRange } from "@ngpu/chain-reader/logRange";
import { type ChainLog as RawLog, type RpcClient, readHeader } from "@ngpu/chain-reader/rpc";
import { type AbiName, abis } from "@ngpu/contracts-sdk/abis";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { generationsOf } from "@ngpu/contracts-sdk/generations";
import { type ChainLog, rewardEvents } from "@ngpu/rewards/chainLogs";
import { type RewardLogs, sortLogs } from "@ngpu/rewards/logFacts";
import { FatalError } from "@ngpu/runtime/errors";
import { type Abi, type Address, decodeEventLog, type Hex, toEventSelector } from "viem";

/** Blocks of one request; the endpoint may allow fewer. */
const rangeSize = 2_000n;

type Contract = AbiName;
/** A contract of the market at one of its addresses. */
export type Source = { contract: Contract; generation: number };

/** Names of events, by the contract that emits them. */
export type WantedEvents = Partial<Record<Contract, readonly string[]>>;

/** Blocks of a chain by their time, read from an endpoint. */
export type BlockClock = {
  /** The last block before a time, Unix seconds. */
  lastBefore: (time: number) => Promise<{ block: bigint; hash: Hex }>;
  timeOf: (block: bigint) => Promise<number>;
  at: (block: bigint) => Promise<{ time: number; hash: Hex }>;
};

/**
 * @param latest The newest block that counts.
 * @param known Blocks that were read already.
 */
export function createBlockClock(
  client: RpcClient,
  latest: bigint,
  known: ReadonlyMap<bigint, { time: number; hash: Hex }> = new Map(),
): BlockClock {
  const headers = new Map<bigint, Promise<{ time: number; hash: Hex }>>(
    Array.from(known, ([block, header]) => [block, Promise.resolve(header)]),
  );
  const headerOf = (block: bigint) => {
    const header =
      headers.get(block) ??
      readHeader(client, block).then(({ timestamp, hash }) => ({ time: Number(timestamp), hash }));
    headers.set(block, header);
    return header;
  };
  return {
    at: headerOf,
    timeOf: async (block) => (await headerOf(block)).time,
    lastBefore: async (time) => {
      let [low, high] = [0n, latest];
      while (low < high) {
        const middle = (low + high + 1n) / 2n;
        if ((await headerOf(middle)).time < time) low = middle;
        else high = middle - 1n;
      }
      return { block: low, hash: (await headerOf(low)).hash };
    },
  };
}

/** Every log that rewards depend on, up to a block, read from an endpoint. */
export async function readRewardLogs(
  client: RpcClient,
  deployment: Deployment,
  options: { upTo: bigint; clock: BlockClock },
): Promise<RewardLogs> {
  return sortLogs(await readMarketLogs(client, deployment, { ...options, events: rewardEvents }));
}

/**
 * Every log of some events up to a block, of all generations of their contracts, in the chain's order.
 *
 * @param options.untimed The times of their blocks are not needed, so they are 0.
 */
export async function readMarketLogs(
  client: RpcClient,
  deployment: Deployment,
  options: { events: WantedEvents; upTo: bigint; clock: BlockClock; untimed?: boolean },
): Promise<ChainLog[]> {
  const { events, upTo, clock, untimed = false } = options;
  const sources = sourcesOf(deployment, events);
  const topics = [selectorsOf(events)];
  const logs: ChainLog[] = [];
  for (let fromBlock = deployment.startBlock; fromBlock <= upTo; fromBlock += rangeSize) {
    const end = fromBlock + rangeSize - 1n;
    const range = { fromBlock, toBlock: end < upTo ? end : upTo };
    for (const raw of await readLogRange(client, { addresses: [...sources.keys()], topics }, range)) {
      const source = sources.get(raw.address);
      if (source !== undefined) logs.push(await decode(raw, source, untimed ? undefined : clock));
    }
  }
  return logs.sort((a, b) => (a.block === b.block ? a.logIndex - b.logIndex : a.block < b.block ? -1 : 1));
}

/** The contracts that emit some events, by address in lower case. */
export function sourcesOf(deployment: Deployment, events: WantedEvents): Map<Address, Source> {
  const names = Object.keys(events) as Contract[];
  return new Map(
    names.flatMap((contract) =>
      generationsOf(deployment, contract).map(
        ({ address, generation }) => [address.toLowerCase() as Address, { contract, generation }] as const,
      ),
    ),
  );
}

/** The first topics of some events. */
export function selectorsOf(events: WantedEvents): Hex[] {
  return (Object.entries(events) as [Contract, readonly string[]][]).flatMap(([contract, names]) =>
    (abis[contract] as Abi).flatMap((item) =>
      item.type === "event" && names.includes(item.name) ? [toEventSelector(item)] : [],
    ),
  );
}

/** Presence and measurements do not depend on the time of their block, so it is not read for them. */
const timeless = new Set([
  "HeartbeatsCommitted",
  "HeartbeatsDisputed",
  "PresenceChallenged",
  "TermsSet",
  "MeasureSubmitted",
  "MeasureFinalized",
  "MeasurerRegistered",
]);

async function decode(raw: RawLog, source: Source, clock: BlockClock | undefined): Promise<ChainLog> {
  const log = decodeLog(raw, source, 0);
  if (clock === undefined || timeless.has(log.name)) return log;
  return { ...log, time: await clock.timeOf(log.block) };
}

/**
 * Decodes a log of a contract.
 *
 * @param time Of its block, Unix seconds.
 * @throws FatalError `log_undecodable`
 */
export function decodeLog(raw: RawLog, { contract, generation }: Source, time: number): ChainLog {
  const { eventName, args } = decodedLog(raw, contract);
  return {
    contract,
    generation,
    name: eventName,
    args,
    block: raw.blockNumber,
    logIndex: raw.logIndex,
    time,
  };
}

function decodedLog(raw: RawLog, contract: Contract): { eventName: string; args: Record<string, unknown> } {
  try {
    return decodeEventLog({ abi: abis[contract] as Abi, data: raw.data, topics: raw.topics }) as never;
  } catch (cause) {
    throw new FatalError(`A log of ${contract} in block ${raw.blockNumber} cannot be decoded.`, {
      code: "log_undecodable",
      hint: "Use a version of this program that knows the deployed contracts.",
      cause,
    });
  }
}
