import { RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import type { TaskEnd } from "./store/tasks.ts";

/** Milliseconds until an end that could not be recorded is tried again: at first, and at most. */
const pause = { first: 1_000, most: 30_000 };

/** Ends of tasks that Postgres did not take. */
export type LaterEnds = {
  /** Records an end, or throws and goes on trying. Of several ends of a task the last one counts. */
  record<Result>(id: string, end: TaskEnd, write: (end: TaskEnd) => Promise<Result>): Promise<Result>;
};

/**
 * Tries again to record the ends of tasks, until Postgres takes them or the server stops. Otherwise a task would run for ever in
 * the records: only tasks of ended processes are ended by others.
 *
 * @param deps.track Makes the server's stop wait for a promise.
 */
export function createLaterEnds(deps: {
  logger: Logger;
  stopping: AbortSignal;
  track: (work: Promise<unknown>) => void;
}): LaterEnds {
  const waiting = new Map<string, TaskEnd>();
  const tryAgain = async (id: string, write: (end: TaskEnd) => Promise<unknown>) => {
    for (let milliseconds = pause.first; waiting.has(id); ) {
      await rest(milliseconds, deps.stopping);
      const end = waiting.get(id);
      if (end === undefined) return;
      try {
        await write(end);
        waiting.delete(id);
      } catch (error) {
        if (deps.stopping.aborted || !(error instanceof RetryableError)) {
          waiting.delete(id);
          deps.logger.warn({ event: "task_not_recorded", taskId: id, error });
        }
      }
      milliseconds = Math.min(pause.most, 2 * milliseconds);
    }
  };
  return {
    record: async (id, end, write) => {
      try {
        const result = await write(end);
        waiting.delete(id);
        return result;
      } catch (error) {
        if (error instanceof RetryableError) {
          const isTried = waiting.has(id);
          waiting.set(id, end);
          if (!isTried) deps.track(tryAgain(id, write));
        }
        throw error;
      }
    },
  };
}
