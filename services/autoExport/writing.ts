import type { FollowStep } from "@ngpu/chain-reader/followSteps";
import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import type { ChainLog } from "@ngpu/chain-reader/rpc";
import type { Connection } from "@ngpu/db/pool";
import type { Logger } from "@ngpu/runtime/logger";
import type { Hex } from "viem";
import { searchOmittedLogs } from "./audit.ts";
import type { EventRows } from "./decode.ts";
import type { Definitions } from "./definitions.ts";
import type { createMutex } from "./mutex.ts";
import type { ComparedParts } from "./omittedLogs.ts";
import { hasBlock, isNotNullViolation, readBlocks, revertBlocks, saveBlocks } from "./store.ts";

/** All logs of blocks for which an endpoint omitted some, by block hash. */
export type Proven = Map<Hex, ChainLog[]>;

/** State of a leader's writing. It ends when `ended` is aborted. */
export type Writing = {
  db: Connection;
  definitions: Definitions;
  compared: ComparedParts;
  proven: Proven;
  /** Serializes the use of `db`. */
  exclusively: ReturnType<typeof createMutex>;
  ended: AbortController;
  logger: Logger;
};

/** Stores a step. @returns the number of its events; undefined when the writing has ended and nothing is stored. */
export async function storeStep(
  { db, definitions, ended, logger }: Writing,
  step: FollowStep,
  rows: EventRows,
): Promise<number | undefined> {
  if (ended.signal.aborted) return undefined;
  const since = performance.now();
  if (step.type === "reorg") {
    await revertBlocks(db, definitions, step.ancestor);
    const { ancestor, depth } = step;
    const duration = performance.now() - since;
    logger.warn({ event: "chain_reorg", ancestor: ancestor?.number ?? null, depth, duration });
    return 0;
  }
  await saveBlocks(db, definitions, step.blocks, rows);
  const events = [...rows.values()].reduce((sum, { count }) => sum + count, 0);
  const block = step.blocks.at(-1)?.number;
  const duration = performance.now() - since;
  logger.debug({ event: "blocks_stored", block, blocks: step.blocks.length, events, duration });
  return events;
}

/**
 * Handles a step that could not be stored. A row without its required columns can mean that an endpoint omitted the log of an
 * earlier event: then the blocks that lack logs are read again. Any other error is rethrown.
 */
export async function recoverOmittedLogs(writing: Writing, step: FollowStep, error: unknown): Promise<void> {
  if (step.type !== "blocks" || !isNotNullViolation(error)) throw error;
  const { isStored, proven: found } = await searchOmittedLogs(writing.compared, step.blocks);
  if (found.size === 0) throw error;
  if (isStored) await repair(writing, found);
  else readAgain(writing, found);
}

/** Reverts the first of the blocks and all above it, as a reorg does, and ends the writing. The next one resumes at the cursor. */
export function repair(writing: Writing, blocks: ReadonlyMap<BlockRef, ChainLog[]>): Promise<void> {
  const { db, definitions, ended, exclusively } = writing;
  return exclusively(async () => {
    const [first] = blocks.keys();
    if (first === undefined || ended.signal.aborted || !(await hasBlock(db, first))) return;
    readAgain(writing, blocks);
    const [parent] = await readBlocks(db, first.number, 1);
    await revertBlocks(db, definitions, parent ?? null);
  });
}

/** Ends the writing. The next one starts at the cursor and uses these logs. Steps that were read but not stored are discarded. */
function readAgain({ proven, ended, logger }: Writing, blocks: ReadonlyMap<BlockRef, ChainLog[]>): void {
  for (const [{ hash }, logs] of blocks) proven.set(hash, logs);
  ended.abort();
  logger.warn({ event: "logs_missing", blocks: [...blocks.keys()].map(({ number }) => number) });
}
