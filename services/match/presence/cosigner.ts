import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { holdLeadership } from "@ngpu/db/leader";
import type { Database } from "@ngpu/db/pool";
import {
  decodeHeartbeats,
  encodeHeartbeats,
  type HeartbeatBits,
  isReadable,
} from "@ngpu/protocol/heartbeatBits";
import { cosignSlot, signOffline } from "@ngpu/protocol/heartbeatCosign";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import type { LocalAccount } from "viem";
import { createLossView, type LossLimitOptions, type LossView, lossGraceMs } from "../failover/lossView.ts";
import { slotAt } from "./acknowledgeHeartbeats.ts";
import { nodesOfAcks, readAcks } from "./ackStore.ts";
import {
  forgetCosigned,
  openProposals,
  storeCosigned,
  storeOffline,
  withoutStatement,
} from "./cosignStore.ts";
import { ackDelayMs, maxSlotAge } from "./slotTimes.ts";

/** Interval of looking for proposals and lost nodes, ms. */
const lookMs = 500;
/** Interval of deleting what is of no use, ms. */
const forgetMs = 60_000;
/** Time for which a statement that a node is offline counts, s, and the rest of it at which it is signed again. */
const statementSeconds = 60;
const renewSeconds = 30;

export type CosignerOptions = LossLimitOptions & {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  databaseUrl: string;
  instance: string;
  /** A cosigner of ComputeNode: another account than any committer's or acknowledger's. */
  account: LocalAccount;
};

/**
 * Cosigns what takes presence from many nodes, on the instance that leads. It believes no committer: it adds the nodes of
 * the signed acknowledgements to the slot that a committer proposes, and signs nothing while it has no acknowledgement of the slot. Which
 * nodes are offline it decides by itself. It sends nothing to the chain.
 */
export function startCosigner(options: CosignerOptions): void {
  const { context, databaseUrl, pool, instance, deployment } = options;
  const { logger, signal } = context;
  const lead = async (leading: AbortSignal) => {
    const activeFrom = performance.now() + (await lossGraceMs(pool, instance));
    const view = createLossView(options);
    let forgottenAt = Number.NEGATIVE_INFINITY;
    const loop = startLoop({ name: "cosigner", logger, signal: leading, interval: lookMs }, async () => {
      const now = slotAt(Date.now(), deployment);
      if (performance.now() - forgottenAt >= forgetMs) {
        await forgetCosigned(pool, now - maxSlotAge);
        forgottenAt = performance.now();
      }
      await cosignSlots(options, now - maxSlotAge);
      if (performance.now() >= activeFrom) await stateOffline(options, view);
    });
    await loop.done;
  };
  void holdLeadership({ url: databaseUrl, leadership: "cosigner", logger, signal, lead });
}

async function cosignSlots(options: CosignerOptions, from: bigint): Promise<void> {
  const { pool, deployment, account, context } = options;
  for (const { slot, ...proposed } of await openProposals(pool, from)) {
    // Every instance has published its acknowledgement by then, and an empty one if it heard nobody.
    if (Date.now() < ackDelayMs(slot, deployment)) continue;
    const acks = await readAcks(pool, deployment, slot);
    const agreed = acks.length === 0 ? undefined : unionOf(proposed, nodesOfAcks(acks));
    if (agreed === undefined) {
      context.logger.warn({ event: "slot_not_cosigned", slot, acks: acks.length });
      continue;
    }
    const { bits, added } = agreed;
    const signature = await cosignSlot(account, deployment, slot, bits);
    await storeCosigned(pool, slot, { ...bits, signature });
    context.logger.info({ event: "slot_cosigned", slot, added });
  }
}

/**
 * The slot with the nodes of the acknowledgements added: whoever has heard of a node is believed, since measurers challenge
 * presence that was not.
 *
 * @returns undefined if the proposal cannot be read
 */
export function unionOf(
  proposed: HeartbeatBits,
  heard: ReadonlySet<number>,
): { bits: HeartbeatBits; added: number } | undefined {
  if (!isReadable(proposed)) return undefined;
  const claimed = decodeHeartbeats(proposed);
  const added = [...heard].filter((nodeId) => !claimed.has(nodeId));
  if (added.length === 0) return { bits: proposed, added: 0 };
  const nodeCount = added.reduce((most, nodeId) => Math.max(most, nodeId), proposed.nodeCount);
  const present = new Set([...claimed, ...added]);
  return { bits: encodeHeartbeats(nodeCount, present), added: added.length };
}

async function stateOffline(options: CosignerOptions, view: LossView): Promise<void> {
  const { pool, deployment, account, context } = options;
  const { decision } = await view.read();
  if (decision === undefined || decision.type === "suspect" || decision.offline.length === 0) return;
  const due = await withoutStatement(pool, decision.offline, renewSeconds);
  if (due.length === 0) return;
  const deadline = BigInt(Math.floor(Date.now() / 1_000) + statementSeconds);
  const statements = await Promise.all(due.map((id) => signOffline(account, deployment, id, deadline)));
  await storeOffline(pool, statements);
  context.logger.info({ event: "offline_stated", nodes: due });
}
