import { type UptimeLeaf, uptimeLeafOf } from "@ngpu/protocol/uptimeTree";
import { amount, type ChainLog, number, text } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import { processProof } from "@openzeppelin/merkle-tree/dist/core.js";
import { refundRecords } from "../../../../cli/audit/dayRecords.ts";
import { recordOf } from "../../../../cli/audit/record.ts";
import { addressOf } from "../day/nodes.ts";
import { between, changed, named, type Planted, pick, type Subject } from "./subject.ts";

/** Roots of the day of which one field of one leaf is another. */
export function* uptimeLies(subject: Subject, count: number): Generator<Planted> {
  const { day, leaves, tree, posted } = subject.day;
  if (tree === null || posted === null) return;
  const leases = leaves.flatMap(({ kind }, place) => (kind === "lease" ? [place] : []));
  const nodes = leaves.flatMap(({ kind }, place) => (kind === "node" ? [place] : []));
  const kinds = [
    ["presentSlots", nodes],
    ["totalSlots", nodes],
    ["downSeconds", leases],
    ["rate", leases],
  ] as const;
  for (let turn = 0; turn < count; turn++) {
    const [field, places] = kinds[turn % kinds.length] as (typeof kinds)[number];
    const place = pick(subject, places);
    const leaf = moved(leaves[place] as UptimeLeaf, field, between(subject, 1, 50));
    const root = processProof(uptimeLeafOf(leaf), tree.proofOf(place));
    // The search for the leaf is left out: it costs more than the comparison.
    const found = {
      kind: "uptime",
      id: String(day),
      block: posted.block,
      checks: { root: tree.root === root },
    } as const;
    const record = recordOf(found, () => `The chain has root ${root}; recomputed is ${tree.root}.`);
    yield { field, kind: "uptime", id: String(day), record };
  }
}

function moved(
  leaf: UptimeLeaf,
  field: "presentSlots" | "totalSlots" | "downSeconds" | "rate",
  by: number,
): UptimeLeaf {
  if (leaf.kind === "node") {
    const name = field === "totalSlots" ? "totalSlots" : "presentSlots";
    return { ...leaf, [name]: leaf[name] + by };
  }
  if (field === "rate") return { ...leaf, rate: leaf.rate + BigInt(by) };
  return { ...leaf, downSeconds: leaf.downSeconds + by };
}

/** Refunds of which one field is another. Each depends on its lease and on the day's downtime. */
export function* refundLies(subject: Subject, count: number): Generator<Planted> {
  const refunds = named(subject, "Refunded");
  const opened = new Map(named(subject, "LeaseOpened").map((log) => [leaseKey(log.args), log]));
  const authorized = new Map(
    named(subject, "Authorized").map((log) => [text(log.args.authorizationId), log]),
  );
  const more = () => BigInt(between(subject, 1, 1_000_000));
  const changes: [string, (log: ChainLog) => Record<string, unknown>][] = [
    ["downSeconds", ({ args }) => ({ downSeconds: number(args.downSeconds) + between(subject, 1, 600) })],
    ["amount", ({ args }) => ({ amount: amount(args.amount) + more() })],
    ["owner", () => ({ owner: addressOf(0xdd, between(subject, 1, 1_000)) })],
    ["lease", ({ args }) => ({ lease: number(args.lease) + between(subject, 10, 99) })],
  ];
  for (let turn = 0; turn < count; turn++) {
    const [field, change] = changes[turn % changes.length] as (typeof changes)[number];
    const log = pick(subject, refunds);
    const lie = changed(log, change(log));
    const lease = opened.get(leaseKey(lie.args));
    const logs = [authorized.get(text(lease?.args.authorizationId)), lease, lie].filter(
      (one) => one !== undefined,
    );
    const [record] = refundRecords({ logs }, subject.day);
    if (record === undefined) throw new RangeError("A refund has a record.");
    yield { field, kind: "refund", id: `${subject.day.day} ${leaseKey(lie.args)}`, record };
  }
}
