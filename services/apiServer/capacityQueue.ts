import { setTimeout as delay } from "node:timers/promises";
import type { Database } from "@ngpu/db/pool";
import { InputError, RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { countWaiting, findTurns, type Turn } from "./store/taskQueue.ts";

/** Tasks that may wait for a replica of one workspace. */
export const mostWaiting = 1_000;
/** Milliseconds between two polls for tasks whose turn it is. */
const lookPause = 250;

/** The tasks of this process that wait for a replica. Their order is that of Postgres, over all instances. */
export type CapacityQueue = {
  /**
   * Waits until a replica may take the task.
   *
   * @throws RetryableError `capacity_wait_ended`; InputError `workspace_closed`; the reason of the signal.
   */
  wait(taskId: string, signal: AbortSignal): Promise<void>;
};

export function createCapacityQueue({ db, logger }: { db: Database; logger: Logger }): CapacityQueue {
  const waiting = new Map<string, (turn: Turn["turn"]) => void>();
  let isLooking = false;
  const poll = async () => {
    if (isLooking) return;
    isLooking = true;
    while (waiting.size > 0) {
      try {
        for (const { id, turn } of await findTurns(db, [...waiting.keys()])) waiting.get(id)?.(turn);
      } catch (error) {
        logger.warn({ event: "task_queue_unread", error });
      }
      await delay(lookPause);
    }
    isLooking = false;
  };
  return {
    wait: async (taskId, signal) => {
      signal.throwIfAborted();
      const turn = Promise.withResolvers<Turn["turn"]>();
      const abort = () => turn.reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      waiting.set(taskId, turn.resolve);
      void poll();
      try {
        const found = await turn.promise;
        if (found !== "try") throw found === "over" ? waitEnded() : closed();
      } finally {
        waiting.delete(taskId);
        signal.removeEventListener("abort", abort);
      }
    },
  };
}

/** @throws InputError `queue_full` (429). */
export async function requireRoom(db: Database, workspaceId: string): Promise<void> {
  if ((await countWaiting(db, workspaceId)) < mostWaiting) return;
  throw new InputError(`${mostWaiting} tasks wait for a replica of the workspace.`, {
    code: "queue_full",
    status: 429,
    hint: "Send the task later, or raise the number of replicas.",
    details: { waiting: mostWaiting },
  });
}

function waitEnded(): RetryableError {
  return new RetryableError("No replica could take the task in the time for which it was to wait.", {
    code: "capacity_wait_ended",
    hint: "Send it again with a longer waitForCapacity. GET /v1/workspaces/{id} shows why replicas do not run.",
  });
}

function closed(): InputError {
  return new InputError("The workspace was closed while the task waited for a replica.", {
    code: "workspace_closed",
    status: 409,
    hint: "Publish another workspace.",
  });
}
