import { isDeepStrictEqual } from "node:util";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { addressFor } from "@ngpu/contracts-sdk/generations";
import { type Database, transaction } from "@ngpu/db/pool";
import { NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { startLoop } from "@ngpu/runtime/loop";
import {
  deleteScalings,
  listScaled,
  lockScaling,
  type ScaledWorkspace,
  saveRefusal,
  saveScaling,
} from "../store/scaling.ts";
import type { WorkspaceOrders } from "../workspaceOrders.ts";
import { decideScaling, liftsDrain } from "./decideScaling.ts";

type ScalerDeps = {
  db: Database;
  orders: WorkspaceOrders;
  deployment: Deployment;
  /** The account that orders; its workspaces alone are scaled. */
  delegate: string;
  logger: Logger;
  signal: AbortSignal;
  /** Milliseconds between two looks. Default: one second. */
  interval?: number;
};

/** Milliseconds until a change that was refused is ordered again. */
const refusedPause = 30_000;

/**
 * Lets replicas follow requests. All instances look at all workspaces: the state is in Postgres, and an order is decided again under
 * the workspace's claim, on the result of the one before. So each change is ordered once, whichever instance ends when.
 */
export function startAutoscaler(deps: ScalerDeps): { done: Promise<void> } {
  const { interval = 1_000 } = deps;
  // Those that another instance or this one has just been refused.
  const pausedUntil = new Map<string, number>();
  const ordering = new Map<string, Promise<void>>();
  let lookedAt = Date.now() - 60_000;
  const loop = startLoop(
    { name: "autoscaler", logger: deps.logger, signal: deps.signal, interval },
    async () => {
      const seconds = Math.max(1, (Date.now() - lookedAt) / 1_000);
      const found = await listScaled(deps.db, { delegate: deps.delegate, seconds });
      lookedAt = Date.now();
      await deleteScalings(deps.db, { delegate: deps.delegate, except: found.map(({ id }) => id) });
      for (const one of found) {
        if (!isDue(one) || ordering.has(one.id)) continue;
        const { order, isLifted } = await look(deps, one.id, { seconds, isClaimed: false });
        const isPaused = (pausedUntil.get(one.id) ?? 0) > Date.now();
        if (!isLifted && (order === null || isPaused)) continue;
        // An order waits for its transaction: others need not.
        const ordered = scale(deps, one.id, seconds).then((isDone) => {
          ordering.delete(one.id);
          if (isDone) pausedUntil.delete(one.id);
          else pausedUntil.set(one.id, Date.now() + refusedPause);
        });
        ordering.set(one.id, ordered);
      }
    },
  );
  return { done: loop.done.then(() => Promise.all(ordering.values())).then(() => undefined) };
}

/** Whether a look changes anything. Nearly all workspaces are settled. */
function isDue({ facts, state }: ScaledWorkspace): boolean {
  const next = decideScaling(facts, state);
  return next.order !== null || !isDeepStrictEqual(next.state, state);
}

/**
 * Decides on the newest facts, and stores the state. While replicas leave, they take requests again only under the workspace's
 * claim: until it is held, the order that ends them may be sent, whichever instance sent it.
 *
 * @returns The number of replicas to order; null: none. `isLifted`: replicas that were to leave take requests again.
 */
function look(
  { db, delegate }: Pick<ScalerDeps, "db" | "delegate">,
  id: string,
  { seconds, isClaimed }: { seconds: number; isClaimed: boolean },
): Promise<{ order: number | null; isLifted: boolean }> {
  return transaction(db, async (connection) => {
    await lockScaling(connection, id);
    const [one] = await listScaled(connection, { delegate, seconds, id });
    if (one === undefined) return { order: null, isLifted: false };
    const { order, state } = decideScaling(one.facts, one.state);
    const isLifted = liftsDrain(one.state, state);
    if (!isDeepStrictEqual(state, one.state) && (isClaimed || !isLifted))
      await saveScaling(connection, id, state);
    return { order, isLifted };
  });
}

/** Orders the number of replicas that is right under the workspace's claim. @returns False when it was refused. */
async function scale(deps: ScalerDeps, id: string, seconds: number): Promise<boolean> {
  const { db, orders, deployment, logger } = deps;
  try {
    const isOrdered = await orders.run(id, async (order) => {
      const { order: replicas } = await look(deps, id, { seconds, isClaimed: true });
      if (replicas === null) return false;
      await order.write({
        kind: "api.scale",
        contract: "DockerContract",
        at: addressFor(deployment, "DockerContract", { workspaceId: BigInt(id) }),
        functionName: "setReplicas",
        args: [BigInt(id), replicas],
      });
      logger.info({ event: "workspace_scaled", workspaceId: id, replicas });
      return true;
    });
    if (isOrdered) await saveRefusal(db, id, null);
    return true;
  } catch (error) {
    const code = error instanceof NgpuError ? error.code : "scaling_failed";
    // Another instance orders, or the owner does, or goes on after this one has stopped: the next look sees the result.
    if (code === "order_in_progress" || deps.signal.aborted) return true;
    logger.warn({ event: "workspace_not_scaled", workspaceId: id, error });
    await saveRefusal(db, id, code).catch(() => undefined);
    return false;
  }
}
