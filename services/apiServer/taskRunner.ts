import type { IncomingMessage } from "node:http";
import type { Database } from "@ngpu/db/pool";
import { messageOf, NgpuError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { requestIdHeader } from "@ngpu/runtime/requestId";
import type { Gateway, GatewayAnswer } from "./gatewayClient.ts";
import { endTask, insertTask, markTaskRunning, type NewTask, type TaskEnd } from "./store/tasks.ts";

/** Longest answer that is kept, in bytes. */
export const keptBytes = 8 << 20;
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

export function createTaskRunner(deps: {
  db: Database;
  gateway: Gateway;
  /** The advisory lock that this process holds. */
  runner: bigint;
  logger: Logger;
}): TaskRunner {
  const stopping = new AbortController();
  const underWay = new Set<Promise<unknown>>();
  const waiting: (() => void)[] = [];
  let running = 0;

  const open = async (work: TaskWork, signal: AbortSignal) => {
    await markTaskRunning(deps.db, work.id);
    const body = work.input === undefined ? undefined : Buffer.from(JSON.stringify(work.input));
    return deps.gateway.call({
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
  };

  const end: TaskRunner["end"] = (work, started, how) =>
    endTask(deps.db, work.id, { ...how, durationMs: Math.round(performance.now() - started) });

  const run: TaskRunner["run"] = async (work, signal) => {
    const started = performance.now();
    try {
      const served = await open(work, signal);
      const result = await readResult(served.message);
      const httpStatus = served.message.statusCode ?? 0;
      const isGood = httpStatus >= 200 && httpStatus < 300;
      await end(work, started, {
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
      const fault = taskFault(error, signal, stopping.signal);
      await end(work, started, noAnswer(fault));
      return fault;
    }
  };

  const track = (work: Promise<unknown>) => {
    underWay.add(work);
    void work.finally(() => underWay.delete(work));
  };

  const watch = <Result>(work: Promise<Result>) => {
    track(work.catch(() => undefined));
    return work;
  };

  const runInTurn = async (work: TaskWork) => {
    if (running >= behindAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      await run(work, stopping.signal);
    } catch (error) {
      const { id: taskId, requestId } = work;
      deps.logger.child({ requestId }).warn({ event: "task_not_recorded", taskId, error });
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };

  return {
    begin: (work) => insertTask(deps.db, { ...work, runner: deps.runner }),
    run: (work, signal) => watch(run(work, signal)),
    runBehind: (work) => track(runInTurn(work)),
    open,
    end,
    watch,
    faultOf: (error, left) => taskFault(error, left, stopping.signal),
    stop: async () => {
      const deadline = setTimeout(() => stopping.abort(new Error("the server stops")), stopDeadline);
      await Promise.allSettled(underWay);
      clearTimeout(deadline);
    },
  };
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

class TaskFault extends NgpuError {
  readonly retryable: boolean;
  constructor(message: string, code: string, retryable: boolean) {
    super(message, { code });
    this.retryable = retryable;
  }
}

/** JSON as it is, text as a string, anything else as base64. */
async function readResult(message: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > keptBytes) {
      throw new TaskFault(`The answer is longer than ${keptBytes} bytes.`, "result_too_long", false);
    }
    parts.push(part);
  }
  const bytes = Buffer.concat(parts);
  const contentType = String(message.headers["content-type"] ?? "");
  if (/[/+]json\b/i.test(contentType)) {
    try {
      return JSON.parse(bytes.toString("utf8")) as unknown;
    } catch {
      return bytes.toString("utf8");
    }
  }
  if (contentType === "" || /^text\//i.test(contentType)) return bytes.toString("utf8");
  return { base64: bytes.toString("base64"), contentType };
}
