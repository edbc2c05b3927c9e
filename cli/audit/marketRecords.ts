import { auditAssignment } from "@ngpu/audit/assignmentAudit";
import { decisionTimes } from "@ngpu/audit/assignments";
import { auditDayOfLogs, falseLeaf, settledAt } from "@ngpu/audit/dayAudit";
import { closeNext, nothingClosed, postedEpoch } from "@ngpu/audit/epochAudit";
import { othersPending } from "@ngpu/audit/placeBounds";
import { auditBatches } from "@ngpu/audit/receiptTotals";
import type { WholeHistory } from "@ngpu/audit/wholeHistory";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { amount, type ChainLog } from "@ngpu/rewards/chainLogs";
import type { Closed } from "@ngpu/rewards/close";
import { hashDocument } from "@ngpu/rewards/document";
import { windowOf } from "@ngpu/rewards/epochs";
import { sortLogs } from "@ngpu/rewards/logFacts";
import { checkRefunds, leaseKey } from "@ngpu/rewards/uptimeLogs";
import { type JudgedWave, judgedWaves } from "@ngpu/waves/history";
import { refundLieText } from "./verifyRefund.ts";
import { uptimeLieText } from "./verifySla.ts";
import { auditWave, type Header, type WaveHeaders } from "./waveAudit.ts";

/** Kinds of records that the market's logs are recomputed for, in the order of the audit. */
export const recordKinds = ["placement", "receipts", "uptime", "refund", "wave", "epoch"] as const;
export type RecordKind = (typeof recordKinds)[number];

/** A record of the chain, recomputed from the logs before it. */
export type MarketRecord = {
  kind: RecordKind;
  /** The lease, the number of the batch, day, wave or epoch; of a refund the day and the lease. */
  id: string;
  /** The block that has it on the chain. */
  block: bigint;
  /** False: it differs. */
  checks: Record<string, boolean>;
  /** What the chain has and what was recomputed, where it differs. */
  detail: string | undefined;
};

export type MarketHistory = WholeHistory & { deployment: Deployment };

/**
 * Recomputes every record of a market.
 *
 * @param from The first block whose records are compared; all before it are still read.
 */
export async function* marketRecords(history: MarketHistory, from: bigint): AsyncGenerator<MarketRecord> {
  const { logs, deployment, upTo } = history;
  const waves = judgedWaves(logs, deployment.parameters.waves, upTo);
  const isNew = ({ block }: { block: bigint }) => block >= from;
  for await (const record of placements(history, waves, isNew)) yield record;
  for (const { number, block, total, checks } of auditBatches(logs).filter(isNew)) {
    const detail = `The batch states a total of ${total} token units.`;
    yield recordOf({ kind: "receipts", id: String(number), block, checks }, () => detail);
  }
  for await (const record of days(history, isNew)) yield record;
  for await (const record of wavesOf(history, waves)) if (isNew(record)) yield record;
  for await (const record of epochs(history, waves)) if (isNew(record)) yield record;
}

const holds = (checks: Record<string, boolean>) => Object.values(checks).every(Boolean);

const recordOf = (found: Omit<MarketRecord, "detail">, detail: () => string): MarketRecord => ({
  ...found,
  detail: holds(found.checks) ? undefined : detail(),
});

async function* placements(
  { logs, clock, deployment, upTo }: MarketHistory,
  waves: readonly JudgedWave[],
  isNew: (log: ChainLog) => boolean,
): AsyncGenerator<MarketRecord> {
  const { slotSeconds } = deployment.parameters;
  for (const assigned of logs.filter((log) => log.name === "Assigned" && isNew(log))) {
    const decidedAt = amount(assigned.args.decidedAt);
    const isKnown = decidedAt <= upTo && decidedAt > 0n;
    const audit = auditAssignment(logs, assigned, {
      decided: isKnown ? { number: decidedAt, ...(await clock.at(decidedAt)) } : undefined,
      assignedAt: assigned.time,
      timesOf: await decisionTimes([assigned, ...othersPending(logs, assigned)], upTo, clock),
      slotSeconds,
      waves,
    });
    const found = { kind: "placement", id: leaseKey(assigned.args), block: assigned.block } as const;
    yield recordOf({ ...found, checks: audit.checks }, () => {
      const best = audit.ranking.slice(0, 3).join(", ") || "none";
      return `The chain has node ${audit.nodeId} at ${audit.price}; best at block ${decidedAt}: ${best}.`;
    });
  }
}

async function* days(
  { logs, clock, deployment: { parameters }, upTo }: MarketHistory,
  isNew: (log: { block: bigint }) => boolean,
): AsyncGenerator<MarketRecord> {
  const named = logs.filter(({ name }) => name === "UptimeCommitted" || name === "Refunded");
  const numbers = [...new Set(named.map(({ args }) => amount(args.day)))].sort((a, b) => (a < b ? -1 : 1));
  const now = await clock.timeOf(upTo);
  for (const day of numbers) {
    // The evidence of a day that is not over is not complete: nothing of it can be true.
    const isOver = now >= settledAt(day, parameters);
    const audited = await auditDayOfLogs(logs, { day, clock, parameters });
    const { posted, tree, leaves } = audited;
    if (posted !== null && isNew(posted)) {
      const checks = { over: isOver, root: tree?.root === posted.root };
      yield recordOf({ kind: "uptime", id: String(day), block: posted.block, checks }, () => {
        const lie = falseLeaf(audited, posted.root);
        return lie === undefined
          ? `The chain has root ${posted.root}; recomputed is ${tree?.root ?? "none"}, of ${leaves.length} leaves.`
          : uptimeLieText(lie);
      });
    }
    const downtime = leaves.filter((leaf) => leaf.kind === "lease");
    const paid = logs.filter(({ name, args }) => name === "Refunded" && amount(args.day) === day);
    for (const [place, refund] of checkRefunds(logs, day, downtime).entries()) {
      const block = paid[place]?.block ?? 0n;
      if (!isNew({ block })) continue;
      const checks = Object.fromEntries(
        (["downSeconds", "amount", "owner", "once"] as const).map((name) => [
          name,
          !refund.failed.includes(name),
        ]),
      );
      const id = `${day} ${leaseKey(refund)}`;
      yield recordOf({ kind: "refund", id, block, checks }, () => refundLieText(refund));
    }
  }
}

async function* wavesOf(
  { logs, clock, deployment, upTo }: MarketHistory,
  waves: readonly JudgedWave[],
): AsyncGenerator<MarketRecord> {
  for (const wave of waves) {
    const headers: WaveHeaders = {};
    for (const name of ["fill", "chase", "work", "answered", "audit"] as const) {
      const block = BigInt(wave.blocks[name]);
      if (block <= upTo) headers[name] = await clock.at(block);
    }
    const { checks } = auditWave({
      wave,
      logs,
      terms: deployment.parameters.waves,
      headers: headers as Record<keyof WaveHeaders, Header>,
      evidence: [],
    });
    yield recordOf(
      { kind: "wave", id: String(wave.waveId), block: BigInt(wave.blocks.revealed), checks },
      () => `Wave ${wave.waveId} began at block ${wave.blocks.fill}.`,
    );
  }
}

async function* epochs(history: MarketHistory, waves: readonly JudgedWave[]): AsyncGenerator<MarketRecord> {
  const { clock, deployment, upTo } = history;
  const logs = sortLogs(history.logs);
  const last = Math.max(
    0,
    ...logs.Pomc.filter(({ name }) => name === "EpochPosted").map(({ args }) => Number(args.number)),
  );
  const now = await clock.timeOf(upTo);
  let before: Closed = nothingClosed;
  for (let number = 1; number <= last; number++) {
    const posted = postedEpoch(logs, deployment, number);
    if (now < windowOf(number, deployment.parameters).settledAt) {
      // Posted before its evidence is complete.
      if (posted !== undefined && !posted.isDisabled) {
        const found = { kind: "epoch", id: String(number), block: posted.block } as const;
        yield recordOf({ ...found, checks: { over: false } }, () => "Its settlement has not ended.");
      }
      return;
    }
    const closed = await closeNext({ deployment, logs, waves, clock }, before);
    before = closed.closed;
    // A disabled root pays nobody.
    if (posted === undefined || posted.isDisabled) continue;
    const total = closed.leaves.reduce((sum, { cumulative }) => sum + cumulative, 0n);
    const checks = {
      root: closed.root?.toLowerCase() === posted.root.toLowerCase(),
      total: total === posted.total,
      dataHash: hashDocument(closed.document) === posted.dataHash.toLowerCase(),
    };
    yield recordOf({ kind: "epoch", id: String(number), block: posted.block, checks }, () =>
      [
        `The chain has root ${posted.root} and a total of ${posted.total} token units;`,
        `recomputed are ${closed.root ?? "none"} and ${total}, ${total - posted.total} more.`,
      ].join(" "),
    );
  }
}
