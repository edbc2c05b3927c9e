import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
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
import { type ComparedParts, wantedOf } from "./omittedLogs.ts";
import { saveSettingAside } from "./saveSettingAside.ts";
import type { LogSetAside } from "./setAside.ts";
import { hasBlock, isDataError, isNotNullViolation, readBlocks, revertBlocks, saveBlocks } from "./store.ts";

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
  /** Counts and names a log that was set aside. */
  onSetAside: (one: LogSetAside) => void;
};

/** The rows of a step, and its logs that do not match their ABI. */
export type StepRows = { rows: EventRows; aside: readonly LogSetAside[] };

/** Stores a step. @returns the number of its events; undefined when the writing has ended and nothing is stored. */
export async function storeStep(
  { db, definitions, ended, logger, onSetAside }: Writing,
  step: FollowStep,
  { rows, aside }: StepRows,
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
  for (const one of aside) onSetAside(one);
  const events = [...rows.values()].reduce((sum, { count }) => sum + count, 0);
  const block = step.blocks.at(-1)?.number;
  const duration = performance.now() - since;
  logger.debug({ event: "blocks_stored", block, blocks: step.blocks.length, events, duration });
  return events;
}

/**
 * Handles a step that could not be stored. A row without its required columns can mean that an endpoint omitted the log of an
 * earlier event: then the blocks that lack logs are read again. Logs whose values cannot be stored are set aside, and the rest of
 * the step is stored. Any other error is rethrown.
 *
 * @returns the number of the step's events; undefined when nothing is stored
 */
export async function recoverStep(
  writing: Writing,
  step: FollowStep,
  error: unknown,
): Promise<number | undefined> {
  if (step.type !== "blocks" || !isDataError(error)) throw error;
  if (isNotNullViolation(error) && (await recoverOmittedLogs(writing, step.blocks))) return undefined;
  const { db, definitions, compared, exclusively, ended, onSetAside } = writing;
  return exclusively(async () => {
    if (ended.signal.aborted) return undefined;
    await saveSettingAside({ db, definitions, find: compared.find, onSetAside }, step.blocks);
    return step.blocks.reduce((sum, { logs }) => sum + wantedOf(compared, logs).length, 0);
  });
}

/** Reads blocks that lack logs again. @returns whether any block does */
async function recoverOmittedLogs(writing: Writing, blocks: readonly FollowedBlock[]): Promise<boolean> {
  const { isStored, proven: found } = await searchOmittedLogs(writing.compared, blocks);
  if (found.size === 0) return false;
  if (isStored) await repair(writing, found);
  else readAgain(writing, found);
  return true;
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
