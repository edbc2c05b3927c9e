import type { Hex } from "viem";
import type { Deployment } from "../shared/chain/deployment.ts";
import type { Database } from "../shared/db/pool.ts";
import { RetryableError } from "../shared/errors.ts";
import type { Logger } from "../shared/logger.ts";
import { servedDays } from "./bond/days.ts";
import { type BondTerms, settleBonds } from "./bond/decide.ts";
import { addShares, decideEpoch, windowOf } from "./decide.ts";
import { type EpochDocument, hashDocument } from "./document.ts";
import { shareEmission } from "./score.ts";
import { type Closed, lastBlockBefore, lastClosed, nodeFacts, safeTime, saveEpoch } from "./store.ts";
import { buildTree } from "./tree.ts";

/** Everything granted when nothing has been granted: no leaf, no root. */
const nothing = { root: null, leaves: [] };

/**
 * Closes every epoch whose time and settlement are over by the safe head, each from chain data as of its own last block.
 *
 * @returns How many were closed.
 */
export async function closeEpochs(options: {
  database: Database;
  deployment: Deployment;
  terms: BondTerms;
  logger: Logger;
  signal: AbortSignal;
}): Promise<number> {
  const { database, deployment, terms, logger, signal } = options;
  const time = await safeTime(database);
  if (time === null) return 0;
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

async function closeEpoch(options: {
  database: Database;
  deployment: Deployment;
  terms: BondTerms;
  number: number;
  before: Closed;
}): Promise<Closed> {
  const { database, deployment, terms, number, before } = options;
  const { parameters } = deployment;
  const window = windowOf(number, parameters);
  const asOf = await lastBlockBefore(database, window.settledAt);
  if (asOf === null) {
    throw new RetryableError(`No block before the end of epoch ${number} is exported yet.`, {
      code: "epoch_too_early",
    });
  }
  const facts = await nodeFacts(database, window, asOf, parameters.slotSeconds);
  const shares = shareEmission(facts, parameters.emissionPerEpoch);
  const days = await servedDays(database, {
    ...{ deployment, terms, settledAt: window.settledAt, after: before.throughDay },
  });
  const accounts = new Map(facts.map(({ nodeId, account }) => [nodeId, account]));
  const served = days.served.flatMap(({ nodeId, days: count }) => {
    const account = accounts.get(nodeId);
    return account === undefined ? [] : [{ nodeId, account, days: count }];
  });
  const { grants, bonds } = settleBonds(before.bonds, { epoch: number, terms, shares, served });
  const granted = addShares(before.granted, grants);
  const tree: { root: Hex | null; leaves: ReturnType<typeof buildTree>["leaves"] } =
    granted.size === 0
      ? nothing
      : buildTree([...granted].map(([account, cumulative]) => ({ account, cumulative })));
  const document: EpochDocument = {
    number,
    startsAt: window.startsAt,
    endsAt: window.endsAt,
    asOf,
    emission: parameters.emissionPerEpoch,
    shares,
    bond: { ...terms, throughDay: days.throughDay },
    served,
    bonds,
    leaves: tree.leaves.map(({ account, cumulative }) => ({ account, cumulative })),
  };
  const total = tree.leaves.reduce((sum, leaf) => sum + leaf.cumulative, 0n);
  await saveEpoch(database, {
    document,
    dataHash: hashDocument(document),
    root: tree.root,
    total,
    leaves: tree.leaves,
  });
  const after = new Map(before.bonds);
  for (const bond of bonds) after.set(bond.nodeId, bond);
  return { number, granted, bonds: after, throughDay: days.throughDay };
}
