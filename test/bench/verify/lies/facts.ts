import { closeNext, type RewardHistory } from "@ngpu/audit/epochAudit";
import { decodeHeartbeats, encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { amount, type ChainLog, heartbeatsOf, number } from "@ngpu/rewards/chainLogs";
import { type Hex, toHex } from "viem";
import { epochRecord } from "../../../../cli/audit/epochRecords.ts";
import { addressOf } from "../day/nodes.ts";
import type { Epoch } from "./epochs.ts";
import { between, changed, named, type Planted, pick, type Subject } from "./subject.ts";

/** A fact that an epoch follows from, which epochs it counts in, and how a lie states it. */
type Fact = {
  field: string;
  name: string;
  change: (log: ChainLog) => Record<string, unknown>;
  /** The time by which its epoch is known, Unix seconds. */
  timeOf: (log: ChainLog) => number;
  /** Whether it counts for the log's epoch; default: always. */
  counts?: (log: ChainLog) => boolean;
};

/**
 * Logs that epochs follow from, of which a committer, node or measurer states one field otherwise while the roots stay: the epoch in
 * which the field counts first must be named. Only that epoch is closed again.
 */
export async function* factLies(
  subject: Subject,
  { rewards, epochs }: { rewards: RewardHistory; epochs: readonly Epoch[] },
  count: number,
): AsyncGenerator<Planted> {
  const facts = factsIn(subject);
  const { genesis, epochSeconds } = subject.history.deployment.parameters;
  for (let turn = 0; turn < count; turn++) {
    const { field, name, change, timeOf, counts = () => true } = facts[turn % facts.length] as Fact;
    const log = pick(subject, named(subject, name).filter(counts));
    const place = Math.max(0, Math.floor((timeOf(log) - genesis) / epochSeconds));
    const epoch = epochs[place];
    if (epoch === undefined) throw new RangeError(`Epoch ${place + 1} is not posted.`);
    const lie = changed(log, change(log));
    const contract = log.contract as keyof RewardHistory["logs"];
    const own = rewards.logs[contract];
    const logs = { ...rewards.logs, [contract]: own.with(own.indexOf(log), lie) };
    const closed = await closeNext({ ...rewards, logs }, epoch.before);
    const id = String(epoch.closed.closed.number);
    yield { field: `${name}.${field}`, kind: "epoch", id, record: epochRecord(closed, epoch.stated) };
  }
}

function factsIn(subject: Subject): Fact[] {
  const slotTime = ({ args }: ChainLog) => number(args.slot) * 60;
  const first = () => subject.history.deployment.parameters.genesis;
  const updated = new Set(named(subject, "NodeSpecUpdated").map(({ args }) => args.nodeId));
  return [
    {
      field: "bits",
      name: "HeartbeatsCommitted",
      change: (log) => withoutNode(subject, log),
      timeOf: slotTime,
    },
    {
      // One node is not restored.
      field: "bits",
      name: "HeartbeatsDisputed",
      change: ({ args }) => ({ bits: toHex(lowestCleared(BigInt(args.bits as Hex)), { size: 32 }) }),
      timeOf: slotTime,
    },
    {
      field: "nodeId",
      name: "PresenceChallenged",
      change: ({ args }) => ({ nodeId: 1 + (number(args.nodeId) % named(subject, "NodeRegistered").length) }),
      timeOf: ({ args }) => number(args.firstSlot) * 60,
    },
    {
      field: "wallet",
      name: "NodeRegistered",
      change: () => ({ wallet: addressOf(0xdd, between(subject, 1, 1_000)) }),
      timeOf: first,
    },
    {
      field: "cpuMilli",
      name: "NodeRegistered",
      change: ({ args }) => {
        const spec = args.spec as { total: { cpuMilli: number } };
        return { spec: { ...spec, total: { ...spec.total, cpuMilli: spec.total.cpuMilli + 1_000 } } };
      },
      timeOf: first,
      // A spec that its node replaced soon counts for nothing.
      counts: ({ args }) => !updated.has(args.nodeId),
    },
    {
      field: "measurerId",
      name: "MeasureSubmitted",
      change: ({ args }) => ({ measurerId: 1 + (number(args.measurerId) % 24) }),
      timeOf: countedAt(subject),
    },
  ];
}

/** The epoch in whose settlement a result counts. */
function countedAt({ history }: Subject): (log: ChainLog) => number {
  const { settlementSeconds } = history.deployment.parameters;
  return ({ time }) => time - settlementSeconds;
}

/** A slot in which one more node is absent. */
function withoutNode(subject: Subject, log: ChainLog): Record<string, unknown> {
  const { nodeCount } = heartbeatsOf(log);
  const present = decodeHeartbeats(heartbeatsOf(log));
  present.delete(pick(subject, [...present]));
  const { encoding, bits } = encodeHeartbeats(nodeCount, present);
  return { encoding: encoding === "bitmap" ? 0 : 1, bits };
}

/** A word without its lowest set bit. */
function lowestCleared(word: bigint): bigint {
  return amount(word) & (amount(word) - 1n);
}
