import type { Logger } from "@ngpu/runtime/logger";
import { type Loop, rest, startLoop } from "@ngpu/runtime/loop";
import type { ApiDeps } from "../deps.ts";
import {
  type BatchRow,
  claimBatch,
  finalizeBatch,
  findBatch,
  isInProgress,
  releaseAbandonedBatches,
  releaseBatch,
} from "../store/batches.ts";
import { endRest, pendingLines } from "../store/batchLines.ts";
import { requestCancel } from "../store/taskCancel.ts";
import { inputLineOf, linesOf } from "./batchInput.ts";
import { writeOutput } from "./output.ts";
import { type LineDeps, runLine } from "./runLine.ts";
import { validateBatch } from "./validate.ts";

type BatchDeps = LineDeps &
  Pick<ApiDeps, "contents"> & {
    /** The advisory lock that this process holds. */
    runner: bigint;
    logger: Logger;
    signal: AbortSignal;
  };

/** What runs at once: batches of a process, and lines of a batch. */
const atOnce = { batches: 8, lines: 16 };
/** Milliseconds between two looks for a batch, and at whether a batch is still to be run. */
const interval = 1_000;
/** Seconds until a batch that failed for a reason of this market is taken again. */
const pauseAfterError = 5;

/**
 * Runs the lines of batches as tasks. A batch is run by one process; when it ends, another one takes over what has not ended.
 *
 * @returns Its `done` resolves when no batch runs here any more.
 */
export function startBatches(deps: BatchDeps): Loop {
  const { db, runner, logger, signal } = deps;
  const running = new Set<Promise<void>>();
  const loop = startLoop({ name: "batches", logger, signal, interval }, async () => {
    await releaseAbandonedBatches(db, runner);
    while (running.size < atOnce.batches && !signal.aborted) {
      const batch = await claimBatch(db, runner);
      if (batch === undefined) return;
      const work = advance(deps, batch);
      running.add(work);
      void work.finally(() => running.delete(work));
    }
  });
  const done = loop.done.then(async () => {
    await Promise.all(running);
  });
  return { wake: loop.wake, done };
}

/** Runs a claimed batch as far as this process can. */
async function advance(deps: BatchDeps, batch: BatchRow): Promise<void> {
  const { db, runner, logger, signal } = deps;
  try {
    await run(deps, batch);
    // One that this process stopped is taken by another at once.
    await releaseBatch(db, batch.id, runner, 0);
  } catch (error) {
    if (!signal.aborted) logger.warn({ event: "batch_interrupted", batchId: batch.id, error });
    await releaseBatch(db, batch.id, runner, signal.aborted ? 0 : pauseAfterError).catch((failed: unknown) =>
      logger.warn({ event: "batch_not_released", batchId: batch.id, error: failed }),
    );
  }
}

async function run(deps: BatchDeps, claimed: BatchRow): Promise<void> {
  const { db, signal, logger } = deps;
  const current = async () => (await findBatch(db, claimed.wallet, claimed.id)) ?? claimed;
  let batch = claimed;
  if (batch.status === "validating") {
    await validateBatch(db, batch, await inputOf(deps, batch), signal);
    batch = await current();
  }
  if (batch.status === "in_progress") await runLines(deps, batch);
  if (signal.aborted) return;
  batch = await current();
  if (batch.ended_at !== null) return;
  const isCancelled = batch.status === "cancelling";
  const rest = isCancelled
    ? {
        code: "batch_cancelled",
        message: "The batch was cancelled before the request ended.",
        hint: "Send it in another batch if you need its result.",
      }
    : {
        code: "batch_expired",
        message: "The request did not end within the batch's completion window.",
        hint: "Send it in another batch, and raise the number of replicas.",
      };
  await finalizeBatch(db, batch.id);
  const left = await endRest(db, batch.id, rest);
  await writeOutput(deps, batch, left === 0);
  logger.info({ event: "batch_ended", batchId: batch.id, left, isCancelled });
}

async function inputOf({ contents }: BatchDeps, batch: BatchRow) {
  const { wallet, input_content_id, input_key_id } = batch;
  return contents.read(wallet, { content_id: input_content_id ?? "", key_id: input_key_id });
}

/** Runs the lines that have not ended, some at once, until all have, or the batch is stopped. */
async function runLines(deps: BatchDeps, batch: BatchRow): Promise<void> {
  const { db, signal } = deps;
  const stopping = new AbortController();
  const stopped = AbortSignal.any([signal, stopping.signal]);
  const tasks = new Map<number, string>();
  const slots = createSlots(atOnce.lines, stopping);
  const watched = watch(deps, batch, { stopping, tasks });
  try {
    const pending = new Map((await pendingLines(db, batch.id)).map((one) => [one.line, one]));
    for await (const { line, bytes } of linesOf(await inputOf(deps, batch))) {
      const one = pending.get(line);
      if (one === undefined) continue;
      const input = inputLineOf(line, bytes, batch.endpoint);
      if ("code" in input) throw new Error(`Line ${line} of ${batch.id} was valid, and is not any more.`);
      await slots.free();
      if (stopped.aborted) break;
      const onTask = (id: string | undefined) => {
        if (id === undefined) tasks.delete(line);
        else tasks.set(line, id);
      };
      slots.begin(runLine(deps, { batch, pending: one, input, stopped, onTask }));
    }
  } finally {
    await slots.allEnded();
    stopping.abort();
    await watched;
  }
  slots.throwIfFailed();
}

/** Stops the lines when the batch is cancelled or its time is over. Their tasks are cancelled, wherever they wait. */
async function watch(
  { db, signal, logger }: BatchDeps,
  batch: BatchRow,
  { stopping, tasks }: { stopping: AbortController; tasks: ReadonlyMap<number, string> },
): Promise<void> {
  while (!stopping.signal.aborted && !signal.aborted) {
    await rest(interval, AbortSignal.any([stopping.signal, signal]));
    try {
      if (stopping.signal.aborted || signal.aborted || (await isInProgress(db, batch.id))) continue;
      stopping.abort();
      for (const id of tasks.values()) await requestCancel(db, batch.wallet, id);
    } catch (error) {
      // It is looked at again.
      logger.warn({ event: "batch_unread", batchId: batch.id, error });
    }
  }
}

/** Bounds what runs at once. The first failure stops the rest. */
function createSlots(most: number, stopping: AbortController) {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  return {
    free: async () => {
      while (running.size >= most) await Promise.race(running);
    },
    begin: (work: Promise<void>) => {
      const settled = work
        .catch((error: unknown) => {
          failures.push(error);
          stopping.abort();
        })
        .finally(() => running.delete(settled));
      running.add(settled);
    },
    allEnded: async () => {
      await Promise.all(running);
    },
    throwIfFailed: () => {
      if (failures.length > 0) throw failures[0];
    },
  };
}
