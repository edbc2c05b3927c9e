import type { Database } from "@ngpu/db/pool";
import { messageOf, NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { requestIdHeader } from "@ngpu/runtime/requestId";
import type { Gateway, GatewayAnswer } from "./gatewayClient.ts";
import { endTask, insertTask, markTaskRunning, type NewTask, type TaskEnd } from "./store/tasks.ts";
import { readResult, TaskFault } from "./taskResult.ts";

/** Tasks run behind at once; the rest wait in order. */
const behindAtOnce = 32;
/** Milliseconds that running tasks get to end when the server stops. */
const stopDeadline = 3_000;

/** `requestId`: of the request that began it. */
export type TaskWork = Omit<NewTask, "runner"> & { requestId: string };

export type TaskRunner = {
  /** Stores a task. False when the partner's Idempotency-Key has one already. */
  begin(work: TaskWork): Promise<boolean>;
  /** Runs a task that was begun, to its recorded end. Gives the fault when no container answered. */
  run(work: TaskWork, signal: AbortSignal): Promise<NgpuError | undefined>;
  /** Runs it behind, when its turn comes. */
  runBehind(work: TaskWork): void;
  /** Asks the workspace; the caller reads the answer and ends the task. */
  open(work: TaskWork, signal: AbortSignal): Promise<GatewayAnswer>;
  /** Records an end; `started` is performance.now() at the start. */
  end(work: TaskWork, started: number, end: Omit<TaskEnd, "durationMs">): Promise<void>;
  /** Counts work of a caller's own among what `stop` waits for. */
  watch<Result>(work: Promise<Result>): Promise<Result>;
  /** Names what kept a task from its answer, for the partner and the record. */
  faultOf(error: unknown, left: AbortSignal): NgpuError;
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
  underWay: Set<Promise<unknown>>;
  /** Tasks that wait for their turn behind. */
  waiting: (() => void)[];
  behind: number;
};

export function createTaskRunner(deps: RunnerDependencies): TaskRunner {
  const own: Running = {
    ...deps,
    stopping: new AbortController(),
    underWay: new Set(),
    waiting: [],
    behind: 0,
  };
  const { stopping, underWay } = own;
  return {
    begin: (work) => insertTask(deps.db, { ...work, runner: deps.runner }),
    run: (work, signal) => watch(own, run(own, work, signal)),
    runBehind: (work) => track(own, runInTurn(own, work)),
    open: (work, signal) => open(own, work, signal),
    end: (work, started, how) => end(own, work, started, how),
    watch: (work) => watch(own, work),
    faultOf: (error, left) => taskFault(error, left, stopping.signal),
    stop: async () => {
      const deadline = setTimeout(() => stopping.abort(new Error("the server stops")), stopDeadline);
      await Promise.allSettled(underWay);
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
    const isGood = httpStatus >= 200 && httpStatus < 300;
    await end(own, work, started, {
      status: isGood ? "succeeded" : "failed",
      served,
      httpStatus,
      result,
      error: isGood
        ? undefined
        : { code: "container_refused", message: `The container answered ${httpStatus}.` },
    });
    return undefined;
  } catch (error) {
    const fault = taskFault(error, signal, own.stopping.signal);
    await end(own, work, started, noAnswer(fault));
    return fault;
  }
}

function track({ underWay }: Running, work: Promise<unknown>): void {
  underWay.add(work);
  void work.finally(() => underWay.delete(work));
}

function watch<Result>(own: Running, work: Promise<Result>): Promise<Result> {
  track(
    own,
    work.catch(() => undefined),
  );
  return work;
}

async function runInTurn(own: Running, work: TaskWork): Promise<void> {
  const { waiting, logger, stopping } = own;
  if (own.behind >= behindAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
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
export function noAnswer(fault: NgpuError): Omit<TaskEnd, "durationMs"> {
  return {
    status: "failed",
    served: undefined,
    httpStatus: undefined,
    result: undefined,
    error: { code: fault.code, message: fault.message },
  };
}

function taskFault(error: unknown, left: AbortSignal, stopping: AbortSignal): NgpuError {
  if (stopping.aborted)
    return new TaskFault("The server stopped before the task ended.", "interrupted", true);
  if (left.aborted) return new TaskFault("Whoever asked left before the answer.", "client_left", false);
  if (error instanceof NgpuError) return error;
  return new TaskFault(`The answer broke off: ${messageOf(error)}`, "replica_broken", true);
}
