import { setTimeout as delay } from "node:timers/promises";
import type { Queryable } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import { type EndedAttempt, recordAttempts } from "./store.ts";

export type Recorder = {
  /** Resolves when the attempt is recorded, however long Postgres is away: what is not recorded is sent again. */
  record(ended: EndedAttempt): Promise<void>;
};

type Waiting = EndedAttempt & PromiseWithResolvers<void>;

/** Attempts in one statement. */
const batch = 500;
/** Milliseconds until a statement that failed is sent again. */
const retryPause = 200;

/**
 * Records attempts, those that end while a statement runs together in the next. So an answer waits for at most two commits, and few
 * are not recorded when the process is killed.
 */
export function createRecorder(deps: { db: Queryable; runner: bigint; logger: Logger }): Recorder {
  const waiting: Waiting[] = [];
  let isRecording = false;
  const recordAll = async () => {
    if (isRecording) return;
    isRecording = true;
    while (waiting.length > 0) await recordBatch(deps, waiting.splice(0, batch));
    isRecording = false;
  };
  return {
    record: (ended) => {
      const recorded = Promise.withResolvers<void>();
      waiting.push({ ...ended, ...recorded });
      void recordAll();
      return recorded.promise;
    },
  };
}

async function recordBatch(
  { db, runner, logger }: Parameters<typeof createRecorder>[0],
  ended: readonly Waiting[],
): Promise<void> {
  for (;;) {
    try {
      await recordAttempts(db, runner, ended);
      for (const { resolve } of ended) resolve();
      return;
    } catch (error) {
      logger.warn({ event: "webhook_attempts_not_recorded", attempts: ended.length, error });
      // Also while the process stops: its stop has a deadline.
      await delay(retryPause);
    }
  }
}
