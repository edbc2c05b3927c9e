import type { PresenceFacts } from "@ngpu/protocol/presence";
import type { Address, Hex } from "viem";
import { sum } from "./amounts.ts";
import { bondTermsOf, dueBonds, type NodeBond, reservedForBonds, settleBonds } from "./bonds.ts";
import { catalogueOf } from "./catalogue.ts";
import type { BlockRef, EpochDocument } from "./document.ts";
import { claimantsOf, type NodeHistory } from "./eligible.ts";
import { addShares, type EpochWindow } from "./epochs.ts";
import { type MeasurerResult, shareMeasurers } from "./measurers.ts";
import { shareEmission } from "./share.ts";
import { type LeaseFacts, shareTasks } from "./tasks.ts";
import type { RewardTerms } from "./terms.ts";
import { buildTree, type ProvenLeaf } from "./tree.ts";

/** What the chain says about an epoch, as of its last block. */
export type EpochFacts = {
  asOf: BlockRef;
  terms: RewardTerms;
  slotSeconds: number;
  nodes: NodeHistory[];
  presence: PresenceFacts;
  /** Results of rounds that were finalized within the epoch's settlement. */
  results: MeasurerResult[];
  /** Leases of which more days count now. */
  leases: LeaseFacts[];
  /** Days of uptime that became final, by node, and the last such day. */
  days: { throughDay: number | null; served: { nodeId: number; days: number }[] };
};

/** State after an epoch. */
export type Closed = {
  /** Number of the epoch; 0 if none is closed. */
  number: number;
  /** Total granted to each account by the epoch's Pomc, token units (1e-18). */
  granted: ReadonlyMap<string, bigint>;
  bonds: ReadonlyMap<number, NodeBond>;
  /** The last day whose uptime is counted for bonds; null before the first. */
  throughDay: number | null;
};

/** The schedule of the contract that pays an epoch. */
export type Schedule = { address: Address; emission: bigint; epochsBefore: number };

export type ClosedEpoch = { closed: Closed; document: EpochDocument; root: Hex | null; leaves: ProvenLeaf[] };

/**
 * Computes an epoch: what each account was granted up to it, the document that states every figure, and the tree.
 * Pure: whoever has the same facts computes the same root.
 */
export function closeEpoch(options: {
  window: EpochWindow;
  schedule: Schedule;
  facts: EpochFacts;
  before: Closed;
}): ClosedEpoch {
  const { window, schedule, facts, before } = options;
  const granted = grant(window.number, schedule, facts, before);
  const leaves = [...granted.total].map(([account, cumulative]) => ({ account, cumulative }));
  const tree = leaves.length === 0 ? { root: null, leaves: [] } : buildTree(leaves);
  const bonds = new Map(before.bonds);
  for (const changed of granted.parts.bonds) bonds.set(changed.nodeId, changed);
  const { throughDay } = facts.days;
  const { number, startsAt, endsAt, settledAt } = window;
  return {
    closed: { number, granted: granted.total, bonds, throughDay },
    document: {
      number,
      pomc: schedule.address,
      startsAt,
      endsAt,
      settledAt,
      asOf: facts.asOf,
      terms: facts.terms,
      ...granted.parts,
      bond: { ...bondTermsOf(facts.terms), throughDay },
      leaves: tree.leaves.map(({ account, cumulative }) => ({ account, cumulative })),
    },
    ...tree,
  };
}

/** The grants of an epoch, added to the earlier grants of its Pomc. */
function grant(number: number, schedule: Schedule, facts: EpochFacts, before: Closed) {
  const isFirst = number === schedule.epochsBefore + 1;
  const grantedBefore = isFirst ? new Map<string, bigint>() : before.granted;
  const limit = BigInt(number - schedule.epochsBefore) * schedule.emission - sum([...grantedBefore.values()]);
  const { terms } = facts;
  const bondTerms = bondTermsOf(terms);
  const counted = withAccounts(facts.days.served, facts.nodes);
  const due = dueBonds(before.bonds, { terms: bondTerms, served: counted });
  const emission = schedule.emission - reservedForBonds(due, limit, schedule.emission);
  const { nodes, claimants } = claimantsOf({
    ...facts,
    histories: facts.nodes,
    catalogue: catalogueOf(terms.catalogue),
  });
  const { classes, shares } = shareEmission(claimants, emission, terms);
  const measurers = shareMeasurers(facts.results, emission, terms);
  const others = sum(measurers.map(({ amount }) => amount));
  const tasks = shareTasks(facts.leases, emission - others - sum(classes.map((one) => one.granted)), terms);
  const incentives = sum(tasks.map(({ nodeAmount, payerAmount }) => nodeAmount + payerAmount));
  const served = [...counted, ...withAccounts(waiting(due, counted), facts.nodes)].sort(
    (a, b) => a.nodeId - b.nodeId,
  );
  const { grants, bonds } = settleBonds(before.bonds, {
    epoch: number,
    terms: bondTerms,
    served,
    shares: byNode(shares),
    grantLimit: limit - others - incentives,
  });
  const direct = [
    ...measurers,
    ...tasks.flatMap(({ node, payer, nodeAmount, payerAmount }) => [
      { account: node, amount: nodeAmount },
      { account: payer, amount: payerAmount },
    ]),
  ];
  return {
    total: addShares(grantedBefore, [...grants, ...direct]),
    parts: { emission, grantLimit: limit, nodes, classes, shares, measurers, tasks, served, bonds },
  };
}

/** What a node earned in all classes. */
function byNode(shares: readonly { nodeId: number; account: string; amount: bigint }[]) {
  const nodes = new Map<number, { nodeId: number; account: string; amount: bigint }>();
  for (const { nodeId, account, amount } of shares) {
    nodes.set(nodeId, { nodeId, account, amount: (nodes.get(nodeId)?.amount ?? 0n) + amount });
  }
  return [...nodes.values()];
}

function withAccounts(served: readonly { nodeId: number; days: number }[], nodes: readonly NodeHistory[]) {
  const accounts = new Map(nodes.map(({ nodeId, account }) => [nodeId, account]));
  return served.flatMap(({ nodeId, days }) => {
    const account = accounts.get(nodeId);
    return account === undefined ? [] : [{ nodeId, account, days }];
  });
}

/** Nodes whose bond is due and that have no new day. Their bond is returned without a day or share, within the grant limit. */
function waiting(due: readonly NodeBond[], counted: readonly { nodeId: number }[]) {
  const known = new Set(counted.map(({ nodeId }) => nodeId));
  return due.flatMap(({ nodeId }) => (known.has(nodeId) ? [] : [{ nodeId, days: 0 }]));
}
