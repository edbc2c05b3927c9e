import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import { servedDays } from "./bond/days.ts";
import { type BondTerms, dueBonds, type NodeBond, reservedForBonds, settleBonds } from "./bond/decide.ts";
import { addShares, decideEpoch, type EpochWindow, windowOf } from "./decide.ts";
import { type EpochDocument, hashDocument } from "./document.ts";
import { type Closed, dropSuperseded, lastClosed, saveEpoch } from "./epochStore.ts";
import { type RewardContract, rewardContractOf, rewardContractsOf, scheduleUpTo } from "./rewardContracts.ts";
import { type NodeFacts, shareEmission } from "./score.ts";
import { type BlockRef, lastBlockBefore, nodeFacts, safeTime } from "./store.ts";
import { buildTree, type ProvenLeaf } from "./tree.ts";

type CloseDeps = { database: Database; deployment: Deployment; terms: BondTerms };

/**
 * Closes every epoch whose settlement has ended by the safe head's time, each from chain data as of its own last block.
 *
 * @returns Number of epochs closed.
 * @throws RetryableError `epoch_not_exported` while the epoch's last block is not exported.
 */
export async function closeEpochs(
  options: CloseDeps & { logger: Logger; signal: AbortSignal },
): Promise<number> {
  const { database, deployment, terms, logger, signal } = options;
  const time = await safeTime(database);
  if (time === null) return 0;
  const dropped = await dropSuperseded(database, rewardContractsOf(deployment));
  if (dropped > 0) logger.warn({ event: "epochs_superseded", epochs: dropped });
  const before = await lastClosed(database);
  const decision = decideEpoch(time, before.number, deployment.parameters);
  if (decision.type === "wait") return 0;
  let closed = before;
  for (let number = decision.from; number <= decision.to; number++) {
    signal.throwIfAborted();
    closed = await closeEpoch({ database, deployment, terms, number, before: closed });
    logger.info({ event: "epoch_closed", epoch: number, accounts: closed.granted.size });
  }
  return decision.to - decision.from + 1;
}

async function closeEpoch(options: CloseDeps & { number: number; before: Closed }): Promise<Closed> {
  const { database, deployment, terms, number, before } = options;
  const { parameters } = deployment;
  const rewardContract = rewardContractOf(deployment, number);
  const window = windowOf(number, parameters);
  const asOf = await requireLastBlock(database, number, window);
  const facts = await nodeFacts(database, window, asOf, parameters.slotSeconds);
  const days = await servedDays(database, {
    deployment,
    terms,
    settledAt: window.settledAt,
    after: before.throughDay,
  });
  const granted = grant({ rewardContract, number, terms, facts, before, days: days.served });
  const tree = treeOf(granted.granted);
  const bond = { ...terms, throughDay: days.throughDay };
  const document = documentOf({ number, rewardContract, window, asOf, bond, granted, tree });
  await saveEpoch(database, {
    generation: rewardContract.generation,
    document,
    dataHash: hashDocument(document),
    root: tree.root,
    total: tree.leaves.reduce((sum, leaf) => sum + leaf.cumulative, 0n),
    leaves: tree.leaves,
  });
  const bonds = new Map(before.bonds);
  for (const changed of granted.bonds) bonds.set(changed.nodeId, changed);
  return { number, granted: granted.granted, bonds, throughDay: days.throughDay };
}

/** The last block before the end of an epoch's settlement. @throws RetryableError `epoch_not_exported`. */
async function requireLastBlock(database: Database, number: number, window: EpochWindow): Promise<BlockRef> {
  const block = await lastBlockBefore(database, window.settledAt);
  if (block !== null) return block;
  throw new RetryableError(`No block before the end of epoch ${number} is exported yet.`, {
    code: "epoch_not_exported",
    hint: "Wait until autoExport has exported the end of the epoch.",
  });
}

type GrantTree = { root: Hex | null; leaves: ProvenLeaf[] };

/** The tree of an epoch; without a root before anything is granted. */
function treeOf(granted: ReadonlyMap<string, bigint>): GrantTree {
  if (granted.size === 0) return { root: null, leaves: [] };
  return buildTree([...granted].map(([account, cumulative]) => ({ account, cumulative })));
}

/** The published account of an epoch, from which anyone can recompute its root. */
function documentOf(epoch: {
  number: number;
  rewardContract: RewardContract;
  window: EpochWindow;
  asOf: BlockRef;
  bond: EpochDocument["bond"];
  granted: ReturnType<typeof grant>;
  tree: GrantTree;
}): EpochDocument {
  const { number, rewardContract, window, asOf, bond, granted, tree } = epoch;
  return {
    number,
    pomc: rewardContract.address,
    startsAt: window.startsAt,
    endsAt: window.endsAt,
    asOf,
    emission: granted.emission,
    grantLimit: granted.grantLimit,
    shares: granted.shares,
    bond,
    served: granted.served,
    bonds: granted.bonds,
    leaves: tree.leaves.map(({ account, cumulative }) => ({ account, cumulative })),
  };
}

/** The grants of an epoch, added to the earlier grants of its Pomc. */
function grant(options: {
  rewardContract: RewardContract;
  number: number;
  terms: BondTerms;
  facts: NodeFacts[];
  before: Closed;
  days: { nodeId: number; days: number }[];
}) {
  const { rewardContract, number, terms, facts, before, days } = options;
  const isFirst = number === rewardContract.epochsBefore + 1;
  const grantedBefore = isFirst ? new Map<string, bigint>() : before.granted;
  const spent = [...grantedBefore.values()].reduce((sum, amount) => sum + amount, 0n);
  const grantLimit = scheduleUpTo(rewardContract, number) - spent;
  const accounts = new Map(facts.map(({ nodeId, account }) => [nodeId, account]));
  const named = (nodes: { nodeId: number; days: number }[]) =>
    nodes.flatMap(({ nodeId, days: count }) => {
      const account = accounts.get(nodeId);
      return account === undefined ? [] : [{ nodeId, account, days: count }];
    });
  const counted = named(days);
  const due = dueBonds(before.bonds, { terms, served: counted });
  const emission = rewardContract.emission - reservedForBonds(due, grantLimit, rewardContract.emission);
  const shares = shareEmission(facts, emission);
  const served = [...counted, ...named(waiting(due, counted))].sort((a, b) => a.nodeId - b.nodeId);
  const { grants, bonds } = settleBonds(before.bonds, { epoch: number, terms, shares, served, grantLimit });
  return { emission, grantLimit, shares, served, bonds, granted: addShares(grantedBefore, grants) };
}

/** Nodes whose bond is due and that have no new day. Their bond is returned without a day or share, within the grant limit. */
function waiting(due: readonly NodeBond[], counted: readonly { nodeId: number }[]) {
  const known = new Set(counted.map(({ nodeId }) => nodeId));
  return due.flatMap(({ nodeId }) => (known.has(nodeId) ? [] : [{ nodeId, days: 0 }]));
}
