import type { Database } from "@ngpu/db/pool";
import { messageOf, NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { requestIdHeader } from "@ngpu/runtime/requestId";
import type { Gateway, GatewayAnswer } from "./gatewayClient.ts";
import { endTask, insertTask, markTaskRunning, type NewTask, type TaskEnd } from "./store/tasks.ts";
import { readResult, TaskError } from "./taskResult.ts";

/** Tasks run behind at once; the rest wait in order. */
const backgroundConcurrency = 32;
/** Milliseconds that running tasks get to end when the server is stopping. */
const stopDeadline = 3_000;

/** `requestId`: of the request that began it. */
export type TaskWork = Omit<NewTask, "runner"> & { requestId: string };

export type TaskRunner = {
  /** Stores a task. False when the partner's Idempotency-Key has one already. */
  begin(work: TaskWork): Promise<boolean>;
  /** Runs a task that was begun, to its recorded end. Gives the fault when no container answered. */
  run(work: TaskWork, signal: AbortSignal): Promise<NgpuError | undefined>;
  /** Runs it behind, when its turn comes. */
  runInBackground(work: TaskWork): void;
  /** Asks the workspace; the caller reads the answer and ends the task. */
  open(work: TaskWork, signal: AbortSignal): Promise<GatewayAnswer>;
  /** Records an end; `started` is performance.now() at the start. */
  end(work: TaskWork, started: number, end: Omit<TaskEnd, "durationMs">): Promise<void>;
  /** Counts work of a caller's own among what `stop` waits for. */
  watch<Result>(work: Promise<Result>): Promise<Result>;
  /** Names what kept a task from its answer, for the partner and the record. */
  errorOf(error: unknown, disconnected: AbortSignal): NgpuError;
  /** Lets what is under way end, within a deadline, then cuts it; all of it is recorded when this resolves. */
  stop(): Promise<void>;
};

type RunnerDependencies = {
  db: Database;
  gateway: Gateway;
  /** The advisory lock that this process holds. */
  runner: bigint;
  logger: Logger;
};

/** What a runner is made with, and what it has under way. */
type Running = RunnerDependencies & {
  stopping: AbortController;
  inProgress: Set<Promise<unknown>>;
  /** Tasks that wait for their turn behind. */
  waiting: (() => void)[];
  behind: number;
};

export function createTaskRunner(deps: RunnerDependencies): TaskRunner {
  const own: Running = {
    ...deps,
    stopping: new AbortController(),
    inProgress: new Set(),
    waiting: [],
    behind: 0,
  };
  const { stopping, inProgress } = own;
  return {
    begin: (work) => insertTask(deps.db, { ...work, runner: deps.runner }),
    run: (work, signal) => watch(own, run(own, work, signal)),
    runInBackground: (work) => track(own, runQueued(own, work)),
    open: (work, signal) => open(own, work, signal),
    end: (work, started, how) => end(own, work, started, how),
    watch: (work) => watch(own, work),
    errorOf: (error, disconnected) => taskError(error, disconnected, stopping.signal),
    stop: async () => {
      const deadline = setTimeout(() => stopping.abort(new Error("the server is stopping")), stopDeadline);
      await Promise.allSettled(inProgress);
      clearTimeout(deadline);
    },
  };
}

async function open(
  { db, gateway, stopping }: Running,
  work: TaskWork,
  signal: AbortSignal,
): Promise<GatewayAnswer> {
  await markTaskRunning(db, work.id);
  const body = work.input === undefined ? undefined : Buffer.from(JSON.stringify(work.input));
  return gateway.call({
    workspaceId: work.workspaceId,
    method: work.method,
    path: work.path,
    body,
    headers: {
      [requestIdHeader]: work.requestId,
      "x-ngpu-task-id": work.id,
      accept: "*/*",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    signal: AbortSignal.any([signal, stopping.signal]),
  });
}

function end(
  { db }: Running,
  work: TaskWork,
  started: number,
  how: Omit<TaskEnd, "durationMs">,
): Promise<void> {
  return endTask(db, work.id, { ...how, durationMs: Math.round(performance.now() - started) });
}

async function run(own: Running, work: TaskWork, signal: AbortSignal): Promise<NgpuError | undefined> {
  const started = performance.now();
  try {
    const served = await open(own, work, signal);
    const result = await readResult(served.message);
    const httpStatus = served.message.statusCode ?? 0;
    const isSuccess = httpStatus >= 200 && httpStatus < 300;
    await end(own, work, started, {
      status: isSuccess ? "succeeded" : "failed",
      served,
      httpStatus,
      result,
      error: isSuccess
        ? undefined
        : { code: "container_refused", message: `The container answered ${httpStatus}.` },
    });
    return undefined;
  } catch (error) {
    const failure = taskError(error, signal, own.stopping.signal);
    await end(own, work, started, noAnswer(failure));
    return failure;
  }
}

function track({ inProgress }: Running, work: Promise<unknown>): void {
  inProgress.add(work);
  void work.finally(() => inProgress.delete(work));
}

function watch<Result>(own: Running, work: Promise<Result>): Promise<Result> {
  track(
    own,
    work.catch(() => undefined),
  );
  return work;
}

async function runQueued(own: Running, work: TaskWork): Promise<void> {
  const { waiting, logger, stopping } = own;
  if (own.behind >= backgroundConcurrency) await new Promise<void>((resolve) => waiting.push(resolve));
  own.behind += 1;
  try {
    await run(own, work, stopping.signal);
  } catch (error) {
    const { id: taskId, requestId } = work;
    logger.child({ requestId }).warn({ event: "task_not_recorded", taskId, error });
  } finally {
    own.behind -= 1;
    waiting.shift()?.();
  }
}

/** The end of a task that no container answered. */
export function noAnswer(failure: NgpuError): Omit<TaskEnd, "durationMs"> {
  return {
    status: "failed",
    served: undefined,
    httpStatus: undefined,
    result: undefined,
    error: { code: failure.code, message: failure.message },
  };
}

function taskError(error: unknown, disconnected: AbortSignal, stopping: AbortSignal): NgpuError {
  if (stopping.aborted)
    return new TaskError("The server stopped before the task ended.", "interrupted", true);
  if (disconnected.aborted)
    return new TaskError("The client disconnected before the response.", "client_disconnected", false);
  if (error instanceof NgpuError) return error;
  return new TaskError(`The response was interrupted: ${messageOf(error)}`, "replica_broken", true);
}
