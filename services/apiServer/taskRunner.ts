import type { Database } from "@ngpu/db/pool";
import type { NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { type BackgroundTasks, createBackgroundTasks } from "./backgroundTasks.ts";
import type { Cancellations } from "./cancellations.ts";
import { type CapacityQueue, createCapacityQueue } from "./capacityQueue.ts";
import type { Gateway } from "./gatewayClient.ts";
import { createLaterEnds, type LaterEnds } from "./laterEnds.ts";
import { type Opened, openTask } from "./openTask.ts";
import { addTaskCost } from "./store/keySpending.ts";
import { endTask, insertTask, type TaskEnd, type TaskTimes } from "./store/tasks.ts";
import { endOf, failureEnd, taskError } from "./taskEnd.ts";
import { createTaskRecords, type TaskRecords } from "./taskRecords.ts";
import { readResult } from "./taskResult.ts";
import type { TaskWork } from "./taskWork.ts";

/** Time that running tasks have to end when the server stops, in milliseconds. */
/** @deadline Running tasks when apiServer stops. They are aborted, and their ends are recorded. */
const stopDeadline = 3_000;

export type TaskRunner = {
  /** Stores a task. False when a task with the partner's Idempotency-Key exists. */
  begin(work: TaskWork): Promise<boolean>;
  /** Begins a task that is opened or run at once. It is stored before its response passes. */
  start(work: TaskWork): void;
  /** Resolves when a started task is stored. */
  stored(work: TaskWork): Promise<void>;
  /** Runs a task and records its end. */
  run(work: TaskWork, signal: AbortSignal): Promise<RunEnd>;
  /** Queues a stored task to run in the background. */
  runInBackground(work: TaskWork): void;
  /** Sends the task to the workspace. The caller reads the response and ends the task. */
  open(work: TaskWork, signal: AbortSignal): Promise<Opened>;
  /** Records the end of a task; `started` and `ended` are performance.now() at its start and end. Default: now. */
  end(work: TaskWork, started: number, end: Omit<TaskEnd, "durationMs">, ended?: number): Promise<void>;
  /** Makes `stop` wait for a caller's work. */
  watch<Result>(work: Promise<Result>): Promise<Result>;
  /** Translates an error into the one that the partner sees and the task records. */
  errorOf(work: TaskWork, error: unknown, disconnected: AbortSignal, hasBegun: boolean): NgpuError;
  /** Waits for running tasks until a deadline, then aborts them. All ends are recorded when it resolves. */
  stop(): Promise<void>;
};

/** How a task has ended. `failure`: no container answered. `times`: when it began and ended, if that is known. */
export type RunEnd = { failure: NgpuError } | { end: TaskEnd; times: TaskTimes | undefined };

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
  records: TaskRecords;
  capacity: CapacityQueue;
  stopping: AbortController;
  inProgress: Set<Promise<unknown>>;
  background: BackgroundTasks;
  laterEnds: LaterEnds;
};

export function createTaskRunner(deps: RunnerDependencies): TaskRunner {
  const stopping = new AbortController();
  const inProgress = new Set<Promise<unknown>>();
  const laterEnds = createLaterEnds({
    logger: deps.logger,
    stopping: stopping.signal,
    track: (work) => track({ inProgress }, work),
  });
  const state: RunnerState = {
    ...deps,
    stopping,
    inProgress,
    laterEnds,
    records: createTaskRecords(deps.db),
    capacity: createCapacityQueue(deps),
    background: createBackgroundTasks(),
  };
  return {
    begin: (work) => insertTask(deps.db, { ...work, runner: deps.runner }),
    start: ({ idempotencyKey: _none, waitSeconds: _never, coldStartSeconds: _later, ...work }) =>
      state.records.begin({ ...work, runner: deps.runner }),
    stored: (work) => state.records.stored(work.id),
    run: (work, signal) => watch(state, run(state, work, signal)),
    runInBackground: (work) => track(state, runQueued(state, work)),
    open: (work, signal) => openTask(state, work, signal),
    end: async (work, started, how, ended) => {
      await end(state, work, started, how, ended);
    },
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
  { db, records, laterEnds, cancellations, logger }: RunnerState,
  work: TaskWork,
  started: number,
  how: Omit<TaskEnd, "durationMs">,
  ended = performance.now(),
): Promise<{ end: TaskEnd; times: TaskTimes | undefined }> {
  try {
    const whole = { ...how, durationMs: Math.round(ended - started) };
    const { id } = work;
    const times = await laterEnds.record(id, whole, (last) =>
      records.has(id) ? records.end(id, last) : endTask(db, id, last),
    );
    await recordCost({ db, logger }, work);
    return { end: whole, times };
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

async function run(
  state: RunnerState,
  work: TaskWork,
  signal: AbortSignal,
  onWait?: () => void,
): Promise<RunEnd> {
  const started = performance.now();
  let hasBegun = false;
  try {
    const served = await openTask(state, work, signal, onWait);
    hasBegun = true;
    const { shown, raw } = await readResult(served.message);
    // The time for which it waited is no time of the lease.
    return await end(state, work, started + (served.waitedMs ?? 0), {
      ...endOf(served.message.statusCode ?? 0),
      served,
      result: shown,
      raw,
    });
  } catch (error) {
    const isCancelled = state.cancellations.isCancelled(work.id);
    const { signal: stopping } = state.stopping;
    const failure = taskError(error, { disconnected: signal, stopping, hasBegun, isCancelled });
    // Nothing was delivered, so the task costs nothing.
    await end(state, work, started, failureEnd(failure));
    return { failure };
  }
}

function track({ inProgress }: Pick<RunnerState, "inProgress">, work: Promise<unknown>): void {
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
  const { id: taskId, requestId, wallet, workspaceId, storedBytes: bytes = 0 } = work;
  const turn = async (leave?: () => void) => {
    await run(state, work, stopping.signal, leave);
  };
  try {
    // The queue of a workspace is of its own.
    if (work.waitSeconds === undefined) await background.during({ wallet, workspaceId, bytes }, turn);
    else await turn();
  } catch (error) {
    logger.child({ requestId }).warn({ event: "task_not_recorded", taskId, error });
  }
}
