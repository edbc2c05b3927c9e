import type { Queryable } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import { startLoop } from "@ngpu/runtime/loop";
import { findCancelled } from "./store/taskCancel.ts";

/** Milliseconds between two polls for tasks that were cancelled: a notification may be lost. */
const checkInterval = 5_000;

/** The tasks of this process that may be cancelled while they run. */
export type Cancellations = {
  /** Aborted when the task is cancelled. */
  signalOf(taskId: string): AbortSignal;
  isCancelled(taskId: string): boolean;
  /** The task has ended. */
  forget(taskId: string): void;
  /** Cancels a task if it runs in this process. */
  cancel(taskId: string): void;
  /** Reads which of the running tasks were cancelled. */
  check(): Promise<void>;
};

export function createCancellations(db: Queryable): Cancellations {
  const running = new Map<string, AbortController>();
  const cancel = (taskId: string) => running.get(taskId)?.abort(new Error("the task was cancelled"));
  return {
    signalOf: (taskId) => {
      const controller = running.get(taskId) ?? new AbortController();
      running.set(taskId, controller);
      return controller.signal;
    },
    isCancelled: (taskId) => running.get(taskId)?.signal.aborted === true,
    forget: (taskId) => running.delete(taskId),
    cancel,
    check: async () => {
      if (running.size === 0) return;
      for (const id of await findCancelled(db, [...running.keys()])) cancel(id);
    },
  };
}

/** Polls for tasks that were cancelled at another instance. */
export function watchCancellations(
  cancellations: Cancellations,
  { logger, signal }: { logger: Logger; signal: AbortSignal },
) {
  return startLoop({ name: "task_cancellations", logger, signal, interval: checkInterval }, () =>
    cancellations.check(),
  );
}
