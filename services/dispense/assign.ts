import { addressFor } from "@ngpu/contracts-sdk/generations";
import { type Database, transaction } from "@ngpu/db/pool";
import { packNodes } from "@ngpu/protocol/placement/nodeList";
import { recordEvents } from "@ngpu/queries/workspaceEvents";
import { loadSpecs, unknownWorkspace } from "@ngpu/queries/workspaceSpecs";
import { NgpuError } from "@ngpu/runtime/errors";
import { type Refusal, returnBatch, secondsSincePublished, settleBatch } from "./batchEnds.ts";
import { type AssignBatch, takeBatch } from "./batches.ts";
import { refusalReason } from "./decide.ts";
import type { SendingDeps } from "./deps.ts";

export type AssignDeps = SendingDeps & {
  /** Maximum concurrent image transfers to one node. */
  perNode: number;
  /** Queues a workspace with a refused replica again. */
  requeue: (workspaceId: bigint) => Promise<void>;
};

/** Sends answered placements to the chain until none is left. */
export async function assignAnswered(deps: AssignDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const batch = await takeBatch(deps.pool, deps);
    if (batch === null) return;
    await assignBatch(deps, batch);
  }
}

/** The transaction of a batch; null when the whole call reverted. */
type Sent = { hash: string; blockNumber: bigint; firstLeases: ReadonlySet<string> };

async function assignBatch(deps: AssignDeps, batch: AssignBatch): Promise<void> {
  let sent: Sent | null = null;
  const refusals = new Map<string, Refusal>();
  try {
    const result = await sendBatch(deps, batch);
    sent = result.sent;
    for (const { index, error } of result.refusals) {
      const item = batch.items[index];
      if (item !== undefined) refusals.set(item.requestId, { error: error.name, text: error.text });
    }
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) {
      await returnBatch(deps.pool, batch.batchId);
      throw error;
    }
    for (const { requestId } of batch.items) refusals.set(requestId, refusal);
  }
  await settleBatch(deps.pool, batch, sent, refusals);
  await recordRefusals(deps.pool, batch, refusals);
  await report(deps, batch, sent, refusals);
}

async function sendBatch({ pool, sender, deployment }: AssignDeps, { batchId, items }: AssignBatch) {
  const ids = [...new Set(items.map((item) => item.workspaceId))];
  const specs = await loadSpecs(pool, ids);
  const args = items.map(({ requestId: _, excluded, ...item }) => {
    const spec = specs.get(item.workspaceId);
    if (spec === undefined) throw unknownWorkspace(item.workspaceId);
    return { ...item, start: true, excluded: packNodes(excluded), spec };
  });
  const { hash, receipt, events, refusals } = await sender.send({
    kind: "dispense.assign",
    contract: "DockerContract",
    // All items of a batch belong to one contract.
    at: addressFor(deployment, "DockerContract", { workspaceId: items[0]?.workspaceId }),
    functionName: "assign",
    args: [args],
    dedupeKey: `assign:${batchId}`,
  });
  const firstLeases = new Set<string>();
  for (const event of events) {
    if (event.eventName !== "Assigned" || event.args.lease !== 1) continue;
    firstLeases.add(`${event.args.workspaceId}/${event.args.replica}`);
  }
  return { sent: { hash, blockNumber: receipt.blockNumber, firstLeases }, refusals };
}

/** The refusal of a whole call; null for a transient error. */
function refusalOf(error: unknown): Refusal | null {
  if (!(error instanceof NgpuError)) return null;
  if (error.code === "transaction_reverted")
    return { error: String(error.details.error), text: error.message };
  return error.code === "workspace_not_found" ? { error: "WorkspaceUnknown", text: error.message } : null;
}

/** Tells the owners why the chain refused to assign their replicas. */
async function recordRefusals(
  pool: Database,
  { items }: AssignBatch,
  refusals: ReadonlyMap<string, Refusal>,
): Promise<void> {
  const events = items.flatMap(({ requestId, workspaceId, replica, nodeId }) => {
    const refusal = refusals.get(requestId);
    const code = refusal === undefined ? null : refusalReason(refusal.error);
    if (refusal === undefined || code === null) return [];
    return [{ workspaceId, replica, lease: 0, nodeId, code, details: { refusal: refusal.text } }];
  });
  if (events.length > 0) await transaction(pool, (db) => recordEvents(db, events));
}

async function report(
  { pool, logger, metrics, requeue }: AssignDeps,
  { items }: AssignBatch,
  sent: Sent | null,
  refusals: ReadonlyMap<string, Refusal>,
): Promise<void> {
  const ages = await secondsSincePublished(pool, [...new Set(items.map((item) => item.workspaceId))]);
  const again = new Set<bigint>();
  for (const { requestId, workspaceId, replica, nodeId } of items) {
    const fields = { requestId, workspaceId, replica, nodeId };
    const refusal = refusals.get(requestId);
    metrics.placements.inc({ outcome: refusal === undefined ? "assigned" : "refused" });
    if (refusal !== undefined) {
      logger.warn({ event: "placement_refused", ...fields, refusal: refusal.text });
      again.add(workspaceId);
      continue;
    }
    logger.info({ event: "placement_assigned", ...fields, hash: sent?.hash });
    const age = ages.get(workspaceId);
    if (age !== undefined && sent?.firstLeases.has(`${workspaceId}/${replica}`)) {
      metrics.publishToAssigned.observe(age);
    }
  }
  for (const workspaceId of again) await requeue(workspaceId);
}
