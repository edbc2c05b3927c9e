import type { Database } from "@ngpu/db/pool";
import { RetryableError } from "@ngpu/runtime/errors";
import { createBatcher } from "./batcher.ts";
import { insertTaskRecords, type TaskRecord } from "./store/taskBatch.ts";
import { endTask, type TaskEnd, type TaskTimes } from "./store/tasks.ts";

/** @deadline The end of a task that is stored once, with its end. The task is stored without it. */
const storeAfter = 20;

/**
 * Stores tasks that run from their beginning, in batches. One that ends at once is stored once, with its end. A task is stored
 * before its caller sees anything of its response, and its end before the response is complete.
 */
export type TaskRecords = {
  begin(task: TaskRecord["task"]): void;
  has(id: string): boolean;
  /** Resolves when the task is stored. */
  stored(id: string): Promise<void>;
  /** Resolves when the end of the task is stored. */
  end(id: string, end: TaskEnd): Promise<TaskTimes | undefined>;
};

type Open = {
  task: TaskRecord["task"];
  began: number;
  timer: NodeJS.Timeout;
  /** Undefined: it is not being stored yet. */
  stored: Promise<unknown> | undefined;
};

/** Bytes that a task is sent to Postgres with. */
const sizeOf = ({ task, end }: TaskRecord) =>
  (task.payload?.length ?? 0) + (end?.raw === undefined ? 0 : 3 * end.raw.bytes.length);

export function createTaskRecords(db: Database): TaskRecords {
  const open = new Map<string, Open>();
  const records = createBatcher({ write: (items: TaskRecord[]) => insertTaskRecords(db, items), sizeOf });
  const store = (one: Open, end?: TaskEnd) => {
    clearTimeout(one.timer);
    return records.add({ task: one.task, age: performance.now() - one.began, end });
  };
  const storeBeginning = (one: Open) => {
    one.stored ??= store(one);
    return one.stored;
  };
  return {
    begin: (task) => {
      const one: Open = {
        task,
        began: performance.now(),
        stored: undefined,
        // Its failure is reported to who waits for it, or by the end.
        timer: setTimeout(() => void storeBeginning(one).catch(() => undefined), storeAfter),
      };
      open.set(task.id, one);
    },
    has: (id) => open.has(id),
    stored: async (id) => {
      const one = open.get(id);
      if (one !== undefined) await storeBeginning(one);
    },
    end: async (id, end) => {
      const one = open.get(id);
      if (one === undefined) return undefined;
      open.delete(id);
      try {
        if (one.stored === undefined) return await store(one, end);
        const isStored = await one.stored.then(
          () => true,
          () => false,
        );
        // Whether a write that failed has stored the task is not known.
        if (!isStored) await store(one, end);
        return await endTask(db, id, end);
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error;
        // The end is tried again.
        one.stored ??= Promise.reject(error);
        one.stored.catch(() => undefined);
        open.set(id, one);
        throw error;
      }
    },
  };
}
