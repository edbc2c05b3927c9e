import { messageOf, RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { startBackfill } from "./backfill.ts";
import { type FollowStep, splitStep } from "./followSteps.ts";
import { type FollowState, type PollOptions, poll } from "./poll.ts";
import { logsRequest } from "./rpc.ts";

// Usage:
//
//   for await (const step of follow({ client, addresses, from, cursor, signal, logger })) {
//     if (step.type === "reorg") await forgetAbove(step.ancestor);  // null: forget every block
//     else await store(step.blocks);                               // rows and cursor in one transaction
//   }
//
// Requesting the next step confirms that the previous one is stored. A consumer that throws or is killed calls `follow`
// again, which resumes from `cursor`. Blocks have consecutive numbers, and each block's parent is the block before it.
// With `headers: "logged"`, a range far behind the head yields only its blocks with logs and its last block.

export type FollowOptions = PollOptions & {
  signal: AbortSignal;
  logger: Logger;
  /** Milliseconds between polls of the head. Default 300. */
  interval?: number;
  /** Milliseconds between polls while the client's head subscriptions are live. Default 2,000. */
  hintedInterval?: number;
};

const maxKept = 4_096;
const maxBackoff = 5_000;

/**
 * Follows the chain from the stored cursor until the signal is aborted. Transient errors are logged, reported to
 * `onError` and retried.
 *
 * @throws FatalError `rpc_method_unsupported` if the endpoints do not serve a required method. Errors of the cursor are
 *   thrown as they are.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<FollowStep, void> {
  const { client, signal, interval = 300, hintedInterval = 2_000 } = options;
  const state: FollowState = {
    kept: await options.cursor.recent(),
    backfill: startBackfill(options),
    shorterPolls: 0,
  };
  const stopEarlyRequests = requestEarly(options, state);
  let failures = 0;
  try {
    while (!signal.aborted) {
      let step: FollowStep | undefined;
      try {
        step = await poll(options, state);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        handleError(options, error, failures);
        await rest(Math.min(maxBackoff, interval * 2 ** Math.min(failures - 1, 10)), signal);
        continue;
      }
      for (const part of step === undefined ? [] : splitStep(step)) {
        yield part;
        remember(state, part);
        if (signal.aborted) return;
      }
      const hinted = client.hints?.live() === true;
      // Up to date: wait for the next poll or hint.
      if (step === undefined || (hinted && reachesHead(step))) {
        if (client.hints === undefined) await rest(interval, signal);
        else await client.hints.wait(hinted ? hintedInterval : interval, signal);
      }
    }
  } finally {
    stopEarlyRequests?.();
  }
}

/** Requests the logs of a block that extends the newest stored block as soon as it is announced. */
function requestEarly(options: FollowOptions, state: FollowState): (() => void) | undefined {
  const { client, confirmations = 0n } = options;
  if (confirmations > 0n) return undefined;
  return client.hints?.requestEarly(({ hash, parentHash }) =>
    parentHash === state.kept.at(-1)?.hash ? logsRequest(options, { blockHash: hash }) : undefined,
  );
}

function reachesHead(step: FollowStep): boolean {
  return step.type === "blocks" && step.blocks.at(-1)?.number === step.head.number;
}

function remember(state: FollowState, step: FollowStep): void {
  if (step.type === "blocks") {
    state.kept.push(...step.blocks.map(({ number, hash }) => ({ number, hash })));
    if (state.kept.length > 2 * maxKept) state.kept = state.kept.slice(-maxKept);
    return;
  }
  const { ancestor } = step;
  state.backfill.ahead = [];
  state.kept = ancestor === null ? [] : state.kept.filter((block) => block.number <= ancestor.number);
}

/** Logs and reports a transient error of the endpoint; throws any other error, such as one of the cursor. */
function handleError(options: FollowOptions, error: unknown, failures: number): void {
  if (!(error instanceof RetryableError)) throw error;
  const { code, cause } = error;
  options.onError?.(code);
  options.logger.warn({ event: "chain_error", code, reason: messageOf(cause ?? error), failures });
}
