import type { Database } from "@ngpu/db/pool";
import type { NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { type BackgroundTasks, createBackgroundTasks } from "./backgroundTasks.ts";
import type { Cancellations } from "./cancellations.ts";
import { type CapacityQueue, createCapacityQueue } from "./capacityQueue.ts";
import type { Gateway, GatewayAnswer } from "./gatewayClient.ts";
import { openTask } from "./openTask.ts";
import { addTaskCost } from "./store/keySpending.ts";
import { endTask, insertTask, type TaskEnd } from "./store/tasks.ts";
import { endOf, failureEnd, taskError } from "./taskEnd.ts";
import { readResult } from "./taskResult.ts";
import type { TaskWork } from "./taskWork.ts";

/** Time that running tasks have to end when the server stops, in milliseconds. */
/** @deadline Running tasks when apiServer stops. They are aborted, and their ends are recorded. */
const stopDeadline = 3_000;

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
  background: BackgroundTasks;
};

export function createTaskRunner(deps: RunnerDependencies): TaskRunner {
  const state: RunnerState = {
    ...deps,
    capacity: createCapacityQueue(deps),
    stopping: new AbortController(),
    inProgress: new Set(),
    background: createBackgroundTasks(),
  };
  const { stopping, inProgress } = state;
  return {
    begin: (work) => insertTask(deps.db, { ...work, runner: deps.runner }),
    run: (work, signal) => watch(state, run(state, work, signal)),
    runInBackground: (work) => track(state, runQueued(state, work)),
    open: (work, signal) => openTask(state, work, signal),
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

async function end(
  { db, cancellations, logger }: RunnerState,
  work: TaskWork,
  started: number,
  how: Omit<TaskEnd, "durationMs">,
  ended = performance.now(),
): Promise<void> {
  try {
    await endTask(db, work.id, { ...how, durationMs: Math.round(ended - started) });
    await recordCost({ db, logger }, work);
  } finally {
    cancellations.forget(work.id);
  }
}

/** The task has ended, whether its cost is added to the spending of its key or not. */
async function recordCost({ db, logger }: Pick<RunnerState, "db" | "logger">, work: TaskWork): Promise<void> {
  const { id: taskId, budgetKeyId } = work;
  if (budgetKeyId === undefined) return;
  await addTaskCost(db, budgetKeyId, taskId).catch((error: unknown) =>
    logger.warn({ event: "task_cost_not_recorded", taskId, keyId: budgetKeyId, error }),
  );
}

async function run(state: RunnerState, work: TaskWork, signal: AbortSignal): Promise<NgpuError | undefined> {
  const started = performance.now();
  let hasBegun = false;
  try {
    const served = await openTask(state, work, signal);
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

/** Runs a task whose caller does not wait. Its input is in Postgres: the memory holds those of the tasks that run. */
async function runQueued(state: RunnerState, { payload, ...rest }: TaskWork): Promise<void> {
  const { background, logger, stopping } = state;
  const work: TaskWork = { ...rest, payload: undefined, storedBytes: payload?.length };
  const { id: taskId, requestId, wallet, storedBytes = 0 } = work;
  const turn = () => run(state, work, stopping.signal).then(() => undefined);
  try {
    // The queue of a workspace is of its own.
    if (work.waitSeconds === undefined) await background.during(wallet, storedBytes, turn);
    else await turn();
  } catch (error) {
    logger.child({ requestId }).warn({ event: "task_not_recorded", taskId, error });
  }
}
