import type { Database } from "@ngpu/db/pool";
import { NgpuError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import { requestIdHeader } from "@ngpu/runtime/requestId";
import type { Cancellations } from "./cancellations.ts";
import { type CapacityQueue, requireRoom } from "./capacityQueue.ts";
import type { Gateway, GatewayAnswer } from "./gatewayClient.ts";
import { waitForReplica } from "./store/taskQueue.ts";
import { markTaskRunning, readInput } from "./store/tasks.ts";
import type { TaskRecords } from "./taskRecords.ts";
import type { TaskWork } from "./taskWork.ts";

/** The gateway ends a task by its deadlines. One that is silent for this much longer has failed, in milliseconds. */
/** @deadline A byte of the gateway, beyond the task's own deadline. The task fails with `gateway_unreachable`. */
const gatewayGrace = 30_000;
/** Milliseconds until a task that waits for a replica, and that none took, is sent again. */
const refusedPause = 500;

type OpenDeps = {
  db: Database;
  gateway: Gateway;
  cancellations: Cancellations;
  capacity: CapacityQueue;
  stopping: AbortController;
  records: TaskRecords;
};

/** What took a task, and for how long it waited for it, in milliseconds; undefined: it did not wait. */
export type Opened = GatewayAnswer & { waitedMs: number | undefined };

/**
 * Sends a task to a replica. One that waits for capacity is sent again when no replica took it.
 *
 * @param onWait Called when it begins to wait.
 */
export async function openTask(
  state: OpenDeps,
  work: TaskWork,
  signal: AbortSignal,
  onWait?: () => void,
): Promise<Opened> {
  const { db, stopping, cancellations, records } = state;
  const cancelled = cancellations.signalOf(work.id);
  const aborted = AbortSignal.any([signal, stopping.signal, cancelled]);
  const seconds = work.waitSeconds ?? work.coldStartSeconds;
  let waitsSince = work.waitSeconds === undefined ? undefined : performance.now();
  for (;;) {
    if (waitsSince !== undefined) await state.capacity.wait(work.id, aborted);
    const isBegun = waitsSince === undefined && records.has(work.id);
    if (!isBegun && (await markTaskRunning(db, work.id))) cancellations.cancel(work.id);
    cancelled.throwIfAborted();
    const waitedMs = waitsSince === undefined ? undefined : Math.round(performance.now() - waitsSince);
    try {
      return { ...(await send(state, work, aborted)), waitedMs };
    } catch (error) {
      const isRefused = error instanceof NgpuError && error.code === "replica_unavailable";
      if (seconds === undefined || !isRefused) throw error;
      if (waitsSince === undefined) await beginToWait(state, work);
      else await rest(refusedPause, aborted);
      waitsSince ??= performance.now();
      await waitForReplica(db, work.id, seconds);
      onWait?.();
    }
  }
}

/** The queue is in Postgres, and has the tasks that are stored. */
async function beginToWait({ db, records }: OpenDeps, { id, workspaceId }: TaskWork): Promise<void> {
  await requireRoom(db, workspaceId);
  await records.stored(id);
}

async function send({ db, gateway }: OpenDeps, work: TaskWork, signal: AbortSignal): Promise<GatewayAnswer> {
  const body = work.storedBytes === undefined ? work.payload : await readInput(db, work.id);
  return gateway.call({
    workspaceId: work.workspaceId,
    method: work.method,
    path: work.path,
    body,
    headers: {
      accept: "*/*",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...work.headers,
      [requestIdHeader]: work.requestId,
      "x-ngpu-task-id": work.id,
      "x-ngpu-timeout": String(work.timeouts.progress),
      "x-ngpu-total-timeout": String(work.timeouts.total),
    },
    signal,
    silence: 1000 * work.timeouts.progress + gatewayGrace,
  });
}
