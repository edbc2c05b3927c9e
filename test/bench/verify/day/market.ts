import { createHash } from "node:crypto";
import type { BlockClock } from "@ngpu/audit/chainHistory";
import { type Deployment, parseDeployment } from "@ngpu/contracts-sdk/deployment";
import type { ChainLog } from "@ngpu/rewards/chainLogs";
import type { Hex } from "viem";
import { randomFrom } from "../../../packages/chain-reader/scriptedChain.ts";
import { deploymentDocument } from "../../../services/support/deployment.ts";

/** The size of a generated day. */
export type Scale = { nodes: number; hours: number; blockSeconds: number; seed: number };

/** A market of which a day is written. Its chain has a block every `blockSeconds`, whose hashes follow from the seed. */
export type Market = {
  scale: Scale;
  /** As a deployment writes it, and as programs read it. */
  document: Record<string, unknown>;
  deployment: Deployment;
  random: () => number;
  /** A whole number from `least` to `most`. */
  between: (least: number, most: number) => number;
  blockAt: (time: number) => number;
  timeOf: (block: number) => number;
  hashOf: (block: number) => Hex;
  clock: BlockClock;
  dayBegin: number;
  dayEnd: number;
  /** The last block. */
  upTo: number;
  /** Every log, in any order until `sortedLogs`. */
  logs: ChainLog[];
  add: (contract: string, name: string, block: number, args: Record<string, unknown>) => ChainLog;
};

const hour = 3_600;
/** Nodes register, and are measured first, in the time before the day. */
export const leadSeconds = hour;
const settlementSeconds = hour;
/** Until a day's root can be claimed from, with its refunds. */
const closingSeconds = 2 * hour + 600;

export function createMarket(scale: Scale): Market {
  const { hours, blockSeconds, seed } = scale;
  const daySeconds = hours * hour;
  const genesis = Math.ceil(1_800_000_000 / daySeconds) * daySeconds;
  const base = genesis - leadSeconds;
  const document = documentOf({ genesis, daySeconds, blockSeconds });
  const random = randomFrom(seed);
  const timeOf = (block: number) => base + block * blockSeconds;
  const blockAt = (time: number) => Math.ceil((time - base) / blockSeconds);
  const hashOf = (block: number): Hex => `0x${createHash("sha256").update(`${seed}/${block}`).digest("hex")}`;
  const logs: ChainLog[] = [];
  const market: Omit<Market, "clock"> = {
    scale,
    document,
    deployment: parseDeployment(document),
    random,
    between: (least, most) => least + Math.floor(random() * (most - least + 1)),
    blockAt,
    timeOf,
    hashOf,
    dayBegin: genesis,
    dayEnd: genesis + daySeconds,
    upTo: blockAt(genesis + daySeconds + closingSeconds),
    logs,
    add: (contract, name, block, args) => {
      const time = timeOf(block);
      const log = { contract, generation: 1, name, args, block: BigInt(block), logIndex: logs.length, time };
      logs.push(log);
      return log;
    },
  };
  return { ...market, clock: clockOf(market) };
}

function documentOf(given: { genesis: number; daySeconds: number; blockSeconds: number }) {
  const { genesis, daySeconds, blockSeconds } = given;
  // The usual waves, as long as at 2 s a block, and one an hour instead of one in three; at least twelve a day.
  const blocks = (usual: number) => Math.max(1, Math.round((usual * 2) / blockSeconds));
  const stride = blocks(4);
  const waveSeconds = Math.min(hour, daySeconds / 12);
  return {
    ...deploymentDocument,
    parameters: {
      ...deploymentDocument.parameters,
      slotSeconds: 60,
      heartbeatWindowSeconds: hour,
      daySeconds,
      uptimeDelay: hour,
      epochSeconds: hour,
      settlementSeconds,
      activationDelay: 86_400,
      genesis,
      measureWindowSeconds: 600,
      measureTtlSeconds: 604_800,
      refundDays: 2,
      waves: {
        stride,
        chance: Math.round(waveSeconds / (stride * blockSeconds)),
        fillBlocks: blocks(15),
        chaseBlocks: blocks(30),
        workBlocks: blocks(6),
        commitBlocks: blocks(150),
        revealBlocks: blocks(50),
      },
    },
  };
}

function clockOf({ timeOf, blockAt, hashOf }: Pick<Market, "timeOf" | "blockAt" | "hashOf">): BlockClock {
  return {
    at: async (block) => ({ time: timeOf(Number(block)), hash: hashOf(Number(block)) }),
    timeOf: async (block) => timeOf(Number(block)),
    lastBefore: async (time) => {
      const block = blockAt(time) - 1;
      return { block: BigInt(block), hash: hashOf(block) };
    },
  };
}

/** The logs in the chain's order, numbered within their blocks. */
export function sortedLogs(logs: readonly ChainLog[]): ChainLog[] {
  let [block, next] = [-1n, 0];
  return logs
    .toSorted((a, b) => (a.block === b.block ? a.logIndex - b.logIndex : a.block < b.block ? -1 : 1))
    .map((log) => {
      if (log.block !== block) [block, next] = [log.block, 0];
      return { ...log, logIndex: next++ };
    });
}
