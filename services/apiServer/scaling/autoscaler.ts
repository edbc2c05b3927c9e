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
import { decideScaling } from "./decideScaling.ts";

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
        const order = await look(deps, one.id, seconds);
        if (order === null || (pausedUntil.get(one.id) ?? 0) > Date.now()) continue;
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

/** Decides on the newest facts, and stores the state. @returns The number of replicas to order; null: none. */
function look(
  { db, delegate }: Pick<ScalerDeps, "db" | "delegate">,
  id: string,
  seconds: number,
): Promise<number | null> {
  return transaction(db, async (connection) => {
    await lockScaling(connection, id);
    const [one] = await listScaled(connection, { delegate, seconds, id });
    if (one === undefined) return null;
    const next = decideScaling(one.facts, one.state);
    if (!isDeepStrictEqual(next.state, one.state)) await saveScaling(connection, id, next.state);
    return next.order;
  });
}

/** Orders the number of replicas that is right under the workspace's claim. @returns False when it was refused. */
async function scale(deps: ScalerDeps, id: string, seconds: number): Promise<boolean> {
  const { db, orders, deployment, logger } = deps;
  try {
    await orders.run(id, async (order) => {
      const replicas = await look(deps, id, seconds);
      if (replicas === null) return;
      await order.write({
        kind: "api.scale",
        contract: "DockerContract",
        at: addressFor(deployment, "DockerContract", { workspaceId: BigInt(id) }),
        functionName: "setReplicas",
        args: [BigInt(id), replicas],
      });
      logger.info({ event: "workspace_scaled", workspaceId: id, replicas });
    });
    await saveRefusal(db, id, null);
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
