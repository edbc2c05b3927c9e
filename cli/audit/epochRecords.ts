import { closeNext, nothingClosed, type PostedEpoch, postedEpoch } from "@ngpu/audit/epochAudit";
import type { Closed, ClosedEpoch } from "@ngpu/rewards/close";
import { hashDocument } from "@ngpu/rewards/document";
import { windowOf } from "@ngpu/rewards/epochs";
import { sortLogs } from "@ngpu/rewards/logFacts";
import type { JudgedWave } from "@ngpu/waves/history";
import { type IsNew, type MarketHistory, type MarketRecord, recordOf } from "./record.ts";

/** A record of an epoch, and what it is attested or disabled with. */
export type EpochRecord = MarketRecord & {
  kind: "epoch";
  number: number;
  root: string;
  /** When it is active without an attestation, Unix seconds. */
  activatesAt: number;
};

/** Recomputes the roots of epochs. What an earlier call has closed is not closed again. */
export type EpochAudit = (
  history: MarketHistory,
  waves: readonly JudgedWave[],
  isNew: IsNew,
) => AsyncGenerator<EpochRecord>;

export function createEpochAudit(): EpochAudit {
  let before: Closed = nothingClosed;
  return async function* epochRecords(history, waves, isNew) {
    const { clock, deployment, upTo } = history;
    const logs = sortLogs(history.logs);
    const posts = logs.Pomc.filter(({ name }) => name === "EpochPosted");
    const fresh = posts.filter(isNew).map(({ args }) => Number(args.number));
    const last = Math.max(0, ...fresh);
    // One that was posted again.
    if (fresh.some((number) => number <= before.number)) before = nothingClosed;
    const now = await clock.timeOf(upTo);
    while (before.number < last) {
      const number = before.number + 1;
      const posted = postedEpoch(logs, deployment, number);
      // A disabled root pays nobody.
      const stated = posted === undefined || posted.isDisabled || !isNew(posted) ? undefined : posted;
      if (now < windowOf(number, deployment.parameters).settledAt) {
        if (stated !== undefined) yield earlyRecord(number, stated);
        return;
      }
      const closed = await closeNext({ deployment, logs, waves, clock }, before);
      before = closed.closed;
      if (stated === undefined) continue;
      yield epochRecord(closed, stated);
    }
  };
}

/** The record of an epoch: what was recomputed, and what the chain has. */
export function epochRecord(closed: ClosedEpoch, stated: PostedEpoch): EpochRecord {
  const { number } = closed.closed;
  const { root, block, activatesAt } = stated;
  const total = closed.leaves.reduce((sum, { cumulative }) => sum + cumulative, 0n);
  const checks = {
    root: closed.root?.toLowerCase() === root.toLowerCase(),
    total: total === stated.total,
    dataHash: hashDocument(closed.document) === stated.dataHash.toLowerCase(),
  };
  const record = recordOf({ kind: "epoch", id: String(number), block, checks }, () =>
    [
      `The chain has root ${root} and a total of ${stated.total} token units;`,
      `recomputed are ${closed.root ?? "none"} and ${total}, ${total - stated.total} more.`,
    ].join(" "),
  );
  return { ...record, kind: "epoch", number, root, activatesAt };
}

/** One that was posted before its evidence was complete. */
function earlyRecord(number: number, { root, block, activatesAt }: PostedEpoch): EpochRecord {
  const record = recordOf(
    { kind: "epoch", id: String(number), block, checks: { over: false } },
    () => "Its settlement has not ended.",
  );
  return { ...record, kind: "epoch", number, root, activatesAt };
}
