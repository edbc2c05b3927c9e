import { type Connection, type Database, transaction } from "@ngpu/db/pool";
import { queues, serveQueue } from "@ngpu/db/queue";
import type { Decision } from "@ngpu/placement/decide";
import { decideByIndex } from "@ngpu/placement/decideByIndex";
import { countedExclusions } from "@ngpu/placement/exclusions";
import { strategyOf } from "@ngpu/placement/preferences";
import { type PriceLimit, readWanted, type Wanted } from "@ngpu/queries/wanted";
import { recordEvents, type WorkspaceEvent } from "@ngpu/queries/workspaceEvents";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import type { Redis } from "ioredis";
import type { Counter } from "prom-client";
import type { IndexedFleet } from "./fleetSync.ts";
import * as store from "./placementStore.ts";

export type PlacementOptions = {
  context: ServiceContext;
  pool: Database;
  redis: Redis;
  /** Counts answers, by outcome. */
  answers: Counter<"outcome">;
  fleetNow: () => Promise<IndexedFleet>;
};

/** Answers the requests of the queue `placement`, and those in Postgres that the queue lost. */
export function startPlacement({ context, pool, redis, answers, fleetNow }: PlacementOptions): Loop {
  const answer = async (requestId: string) => {
    const outcome = await answerRequest(pool, requestId, fleetNow);
    if (outcome === undefined) return;
    answers.inc({ outcome: outcome.type });
    context.logger.info({ event: "placement_answered", requestId, ...outcome });
  };
  serveQueue(queues.placement, redis, context, async ({ requestId }) => {
    if (requestId !== undefined) await answer(requestId);
  });
  return startLoop(
    { name: "placement sweeper", logger: context.logger, signal: context.signal, interval: 2_000 },
    async () => {
      for (const requestId of await store.unansweredRequests(pool)) await answer(requestId);
    },
  );
}

type Outcome = { type: string; workspaceId: bigint; nodeId: number | undefined; block: bigint };

/** Answers a request in one transaction; undefined when it is claimed or answered already. */
async function answerRequest(
  pool: Database,
  requestId: string,
  fleetNow: () => Promise<IndexedFleet>,
): Promise<Outcome | undefined> {
  return transaction(pool, async (db) => {
    const requested = await store.claimPlacement(db, requestId);
    if (requested === undefined) return undefined;
    const { block, index, position, wanted } = await factsFor(db, requested, fleetNow);
    const { decision, excluded } = decisionOf(index, wanted, position);
    const priceLimit = wanted?.priceLimit ?? null;
    await store.writeAnswer(db, { requestId, block, position, decision, excluded, priceLimit });
    if (decision.type === "impossible") await recordEvents(db, [noNodeFits(requested, decision, priceLimit)]);
    const nodeId = decision.type === "placed" ? decision.nodeId : undefined;
    return { type: decision.type, workspaceId: requested.workspace_id, nodeId, block: block.number };
  });
}

/** The decision, and the excluded nodes that it depends on: the assignment names them, so that anyone can recompute it. */
function decisionOf(
  index: IndexedFleet["index"],
  wanted: Wanted | undefined,
  position: number,
): { decision: Decision; excluded: number[] } {
  if (wanted === undefined) {
    return { decision: { type: "impossible", refusals: {}, nearest: null }, excluded: [] };
  }
  const asked = { ...wanted.request, position };
  const excluded = countedExclusions(index.get, asked);
  return { decision: decideByIndex(index, { ...asked, excluded }, strategyOf(wanted.preferences)), excluded };
}

function noNodeFits(
  { workspace_id: workspaceId, replica }: store.PendingPlacement,
  { refusals: refused, nearest }: Extract<Decision, { type: "impossible" }>,
  priceLimit: PriceLimit | null,
): WorkspaceEvent {
  const details = { refused, nearest, ...(priceLimit === null ? {} : { priceLimit }) };
  return { workspaceId, replica, lease: 0, nodeId: nearest?.nodeId ?? null, code: "no_node_fits", details };
}

type Facts = IndexedFleet & { position: number; wanted: Wanted | undefined };

/** The fleet at a block, the workspace's request at it, and the number of its placements that the block does not include. */
async function factsFor(
  db: Connection,
  requested: store.PendingPlacement,
  fleetNow: () => Promise<IndexedFleet>,
): Promise<Facts> {
  for (;;) {
    const { block } = await fleetNow();
    const wanted = await readWanted(db, requested, block);
    const position = await store.countPending(db, requested, block);
    // The index may have advanced meanwhile; then everything is read again at its new block.
    const now = await fleetNow();
    if (now.block.hash === block.hash) return { ...now, position, wanted };
  }
}
