import {
  closeNext,
  nothingClosed,
  type PostedEpoch,
  postedEpoch,
  type RewardHistory,
} from "@ngpu/audit/epochAudit";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import type { Closed, ClosedEpoch } from "@ngpu/rewards/close";
import { type EpochDocument, hashDocument } from "@ngpu/rewards/document";
import { sortLogs } from "@ngpu/rewards/logFacts";
import { epochRecord } from "../../../../cli/audit/epochRecords.ts";
import { addressOf } from "../day/nodes.ts";
import { between, named, type Planted, pick, type Subject } from "./subject.ts";

/** An epoch that was closed, what was closed before it, and what the chain has of it. */
export type Epoch = { before: Closed; closed: ClosedEpoch; stated: PostedEpoch };

/** Closes each epoch of a day once. */
export async function closedEpochs({
  history,
  waves,
}: Subject): Promise<{ rewards: RewardHistory; epochs: Epoch[] }> {
  const { deployment, clock } = history;
  const rewards = { deployment, logs: sortLogs(history.logs), waves, clock };
  const epochs: Epoch[] = [];
  let before = nothingClosed;
  for (const _post of named({ history } as Subject, "EpochPosted")) {
    const closed = await closeNext(rewards, before);
    const stated = postedEpoch(rewards.logs, deployment, closed.closed.number);
    if (stated !== undefined) epochs.push({ before, closed, stated });
    before = closed.closed;
  }
  return { rewards, epochs };
}

type Change = (epoch: Epoch) => PostedEpoch;

/** Epochs of which the poster states one field otherwise: of the post itself, of a leaf, or of the document behind its hash. */
export function* epochLies(subject: Subject, epochs: readonly Epoch[], count: number): Generator<Planted> {
  const changes = Object.entries(changesIn(subject));
  for (let turn = 0; turn < count; turn++) {
    const [field, change] = changes[turn % changes.length] as [string, Change];
    const epoch = pick(subject, epochs);
    const record = epochRecord(epoch.closed, change(epoch));
    yield { field, kind: "epoch", id: String(epoch.closed.closed.number), record };
  }
}

function changesIn(subject: Subject): Record<string, Change> {
  const more = () => BigInt(between(subject, 1, 1_000_000));
  const leaf =
    (
      change: (leaf: { account: string; cumulative: bigint }) => { account: string; cumulative: bigint },
    ): Change =>
    ({ closed, stated }) => {
      const place = between(subject, 0, closed.leaves.length - 1);
      const leaves = closed.leaves.map((one, index) => (index === place ? change(one) : one));
      return { ...stated, root: claimTreeOf(leaves).root };
    };
  const share =
    <Name extends "nodes" | "shares" | "measurers">(
      name: Name,
      change: (row: EpochDocument[Name][number]) => EpochDocument[Name][number],
    ): Change =>
    ({ closed: { document }, stated }) => {
      const rows = document[name] as EpochDocument[Name][number][];
      if (rows.length === 0) return { ...stated, dataHash: hashDocument({ ...document, emission: 0n }) };
      const place = between(subject, 0, rows.length - 1);
      const changed = rows.with(place, change(rows[place] as EpochDocument[Name][number]));
      return { ...stated, dataHash: hashDocument({ ...document, [name]: changed }) };
    };
  return {
    total: ({ stated }) => ({ ...stated, total: stated.total + more() }),
    "leaf.cumulative": leaf((one) => ({ ...one, cumulative: one.cumulative + more() })),
    "leaf.account": leaf((one) => ({ ...one, account: addressOf(0xdd, between(subject, 1, 1_000)) })),
    "node.present": share("nodes", (row) => ({ ...row, present: row.present + 1 })),
    "share.amount": share("shares", (row) => ({ ...row, amount: row.amount + more() })),
    "measurer.amount": share("measurers", (row) => ({ ...row, amount: row.amount + more() })),
  };
}
