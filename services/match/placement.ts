import type { Redis } from "ioredis";
import type { Counter } from "prom-client";
import { type Database, transaction } from "../shared/db/pool.ts";
import type { ServiceContext } from "../shared/lifecycle.ts";
import { type Loop, startLoop } from "../shared/loop.ts";
import { queues, serveQueue } from "../shared/queue.ts";
import { type Decision, decide } from "./decide.ts";
import type { Fleet } from "./fleet.ts";
import * as store from "./placementStore.ts";
import { defaultStrategy, strategies } from "./strategies/all.ts";

export type PlacementOptions = {
  context: ServiceContext;
  pool: Database;
  redis: Redis;
  /** Counts answers by their outcome. */
  answers: Counter<"outcome">;
};

/** Serves the queue `placement`, and answers from Postgres what a lost queue forgot. */
export function startPlacement({ context, pool, redis, answers }: PlacementOptions): Loop {
  let fleet: Fleet | undefined;
  const fleetNow = async () => {
    const head = await store.readHead(pool);
    if (fleet?.block.hash !== head.hash) fleet = await store.readFleet(pool);
    return fleet;
  };
  const answer = async (requestId: string) => {
    const state = await fleetNow();
    const outcome = await answerRequest(pool, requestId, state);
    if (outcome === undefined) return;
    answers.inc({ outcome: outcome.type });
    context.logger.info({ event: "placement_answered", requestId, ...outcome, block: state.block.number });
  };
  serveQueue(queues.placement, redis, context, async ({ requestId }) => {
    if (requestId !== undefined) await answer(requestId);
  });
  return startLoop(
    { name: "placement sweeper", logger: context.logger, signal: context.signal, interval: 2_000 },
    async () => {
      for (const requestId of await store.forgottenRequests(pool)) await answer(requestId);
    },
  );
}

/** Answers one request in one transaction; undefined when another instance did. */
async function answerRequest(
  pool: Database,
  requestId: string,
  state: Fleet,
): Promise<{ type: string; workspaceId: bigint; nodeId: number | undefined } | undefined> {
  return transaction(pool, async (db) => {
    const asked = await store.takeAsked(db, requestId);
    if (asked === undefined) return undefined;
    const wanted = await store.readWanted(db, asked);
    const place = await store.countPending(db, asked);
    const decision: Decision =
      wanted === undefined
        ? { type: "impossible", refusals: {}, nearest: null }
        : decide(state, { ...wanted, place }, strategies[defaultStrategy]);
    await store.writeAnswer(db, { requestId, block: state.block, place, decision });
    const nodeId = decision.type === "placed" ? decision.nodeId : undefined;
    return { type: decision.type, workspaceId: asked.workspace_id, nodeId };
  });
}
