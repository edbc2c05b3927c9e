import type { Database } from "@ngpu/db/pool";
import { NgpuError } from "@ngpu/runtime/errors";
import type { ForwardedHeaders } from "@ngpu/runtime/hopHeaders";
import type { Logger } from "@ngpu/runtime/logger";
import { requestIdHeader } from "@ngpu/runtime/requestId";
import type { Cancellations } from "./cancellations.ts";
import { type CapacityQueue, createCapacityQueue } from "./capacityQueue.ts";
import type { Gateway, GatewayAnswer } from "./gatewayClient.ts";
import { addTaskCost } from "./store/keySpending.ts";
import { waitAgain } from "./store/taskQueue.ts";
import { endTask, insertTask, markTaskRunning, type NewTask, type TaskEnd } from "./store/tasks.ts";
import { endOf, failureEnd, taskError } from "./taskEnd.ts";
import { readResult } from "./taskResult.ts";

/** Concurrent background tasks; further ones are queued in order. */
const backgroundConcurrency = 32;
/** The gateway ends a task by its deadlines. One that is silent for this much longer has failed, in milliseconds. */
/** @deadline A byte of the gateway, beyond the task's own deadline. The task fails with `gateway_unreachable`. */
const gatewayGrace = 30_000;
/** Time that running tasks have to end when the server stops, in milliseconds. */
/** @deadline Running tasks when apiServer stops. They are aborted, and their ends are recorded. */
const stopDeadline = 3_000;

/** A task to run. */
export type TaskWork = Omit<NewTask, "runner"> & {
  /** Id of the request that created it. */
  requestId: string;
  /** Further headers for the container. */
  headers?: ForwardedHeaders;
  /** Longest time without a byte, and in all, in seconds. */
  timeouts: { progress: number; total: number };
  /** The key whose spending its cost is added to; undefined: it has no limit. */
  budgetKeyId: string | undefined;
};

export type TaskRunner = {
  /** Stores a task. False when a task with the partner's Idempotency-Key exists. */
  begin(work: TaskWork): Promise<boolean>;
  /** Runs a stored task and records its end. Returns the error when no container answered. */
  run(work: TaskWork, signal: AbortSignal): Promise<NgpuError | undefined>;
  /** Queues a stored task to run in the background. */
  runInBackground(work: TaskWork): void;
  /** Sends the task to the workspace. The caller reads the response and ends the task. */
  open(work: TaskWork, signal: AbortSignal): Promise<GatewayAnswer>;
  /** Records the end of a task; `started` and `ended` are performance.now() at its start and end. Default: now. */
  end(work: TaskWork, started: number, end: Omit<TaskEnd, "durationMs">, ended?: number): Promise<void>;
  /** Makes `stop` wait for a caller's work. */
  watch<Result>(work: Promise<Result>): Promise<Result>;
  /** Translates an error into the one that the partner sees and the task records. */
  errorOf(work: TaskWork, error: unknown, disconnected: AbortSignal, hasBegun: boolean): NgpuError;
  /** Waits for running tasks until a deadline, then aborts them. All ends are recorded when it resolves. */
  stop(): Promise<void>;
};

type RunnerDependencies = {
  db: Database;
  gateway: Gateway;
  /** The advisory lock that this process holds. */
  runner: bigint;
  cancellations: Cancellations;
  logger: Logger;
};

/** Dependencies and state of a runner. */
type RunnerState = RunnerDependencies & {
  capacity: CapacityQueue;
  stopping: AbortController;
  inProgress: Set<Promise<unknown>>;
  /** Resolvers of queued background tasks, oldest first. */
  waiting: (() => void)[];
  background: number;
};

export function createTaskRunner(deps: RunnerDependencies): TaskRunner {
  const state: RunnerState = {
    ...deps,
    capacity: createCapacityQueue(deps),
    stopping: new AbortController(),
    inProgress: new Set(),
    waiting: [],
    background: 0,
  };
  const { stopping, inProgress } = state;
  return {
    begin: (work) => insertTask(deps.db, { ...work, runner: deps.runner }),
    run: (work, signal) => watch(state, run(state, work, signal)),
    runInBackground: (work) => track(state, runQueued(state, work)),
    open: (work, signal) => open(state, work, signal),
    end: (work, started, how, ended) => end(state, work, started, how, ended),
    watch: (work) => watch(state, work),
    errorOf: (work, error, disconnected, hasBegun) => {
      const isCancelled = deps.cancellations.isCancelled(work.id);
      return taskError(error, { disconnected, stopping: stopping.signal, hasBegun, isCancelled });
    },
    stop: async () => {
      const deadline = setTimeout(() => stopping.abort(new Error("the server is stopping")), stopDeadline);
      await Promise.allSettled(inProgress);
      clearTimeout(deadline);
    },
  };
}

/** Sends a task to a replica. One that waits for capacity is sent again when no replica took it. */
async function open(state: RunnerState, work: TaskWork, signal: AbortSignal): Promise<GatewayAnswer> {
  const { db, stopping, cancellations } = state;
  const cancelled = cancellations.signalOf(work.id);
  const aborted = AbortSignal.any([signal, stopping.signal, cancelled]);
  for (;;) {
    if (work.waitSeconds !== undefined) await state.capacity.wait(work.id, aborted);
    if (await markTaskRunning(db, work.id)) cancellations.cancel(work.id);
    cancelled.throwIfAborted();
    try {
      return await send(state, work, aborted);
    } catch (error) {
      const isRefused = error instanceof NgpuError && error.code === "replica_unavailable";
      if (work.waitSeconds === undefined || !isRefused) throw error;
      await waitAgain(db, work.id);
    }
  }
}

function send({ gateway }: RunnerState, work: TaskWork, signal: AbortSignal): Promise<GatewayAnswer> {
  const body = work.payload;
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

async function end(
  { db, cancellations }: RunnerState,
  work: TaskWork,
  started: number,
  how: Omit<TaskEnd, "durationMs">,
  ended = performance.now(),
): Promise<void> {
  try {
    await endTask(db, work.id, { ...how, durationMs: Math.round(ended - started) });
    if (work.budgetKeyId !== undefined) await addTaskCost(db, work.budgetKeyId, work.id);
  } finally {
    cancellations.forget(work.id);
  }
}

async function run(state: RunnerState, work: TaskWork, signal: AbortSignal): Promise<NgpuError | undefined> {
  const started = performance.now();
  let hasBegun = false;
  try {
    const served = await open(state, work, signal);
    hasBegun = true;
    const { shown, raw } = await readResult(served.message);
    await end(state, work, started, {
      ...endOf(served.message.statusCode ?? 0),
      served,
      result: shown,
      raw,
    });
    return undefined;
  } catch (error) {
    const isCancelled = state.cancellations.isCancelled(work.id);
    const { signal: stopping } = state.stopping;
    const failure = taskError(error, { disconnected: signal, stopping, hasBegun, isCancelled });
    // Nothing was delivered, so the task costs nothing.
    await end(state, work, started, failureEnd(failure));
    return failure;
  }
}

function track({ inProgress }: RunnerState, work: Promise<unknown>): void {
  inProgress.add(work);
  void work.finally(() => inProgress.delete(work));
}

function watch<Result>(state: RunnerState, work: Promise<Result>): Promise<Result> {
  track(
    state,
    work.catch(() => undefined),
  );
  return work;
}

async function runQueued(state: RunnerState, work: TaskWork): Promise<void> {
  const { waiting, logger, stopping } = state;
  // The queue of a workspace is of its own.
  const isQueued = work.waitSeconds === undefined;
  if (isQueued && state.background >= backgroundConcurrency)
    await new Promise<void>((resolve) => waiting.push(resolve));
  if (isQueued) state.background += 1;
  try {
    await run(state, work, stopping.signal);
  } catch (error) {
    const { id: taskId, requestId } = work;
    logger.child({ requestId }).warn({ event: "task_not_recorded", taskId, error });
  } finally {
    if (isQueued) {
      state.background -= 1;
      waiting.shift()?.();
    }
  }
}
