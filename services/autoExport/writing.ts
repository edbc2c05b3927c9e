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

/** Of blocks of which an endpoint had left logs out, by the block's hash. */
export type Proven = Map<Hex, ChainLog[]>;

/** What a leader writes with, until it ends. */
export type Writing = {
  db: Connection;
  definitions: Definitions;
  compared: ComparedParts;
  proven: Proven;
  /** Turns on the connection. */
  exclusively: ReturnType<typeof createMutex>;
  ended: AbortController;
  logger: Logger;
};

/** Undefined when it was not stored, since the writing ended meanwhile. */
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

/** A row that lacks what an earlier event says may be the first to show that an endpoint left that event's log out. */
export async function heal(writing: Writing, step: FollowStep, error: unknown): Promise<void> {
  if (step.type !== "blocks" || !isNotNullViolation(error)) throw error;
  const { isStored, proven: found } = await searchOmittedLogs(writing.compared, step.blocks);
  if (found.size === 0) throw error;
  if (isStored) await repair(writing, found);
  else readAgain(writing, found);
}

/** As if the blocks were no more on the chain: what is in the cursor afterwards is where the next leader goes on. */
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

/** Ends the writing: the next one begins at the cursor, with these logs. What was read meanwhile is not stored any more. */
function readAgain({ proven, ended, logger }: Writing, blocks: ReadonlyMap<BlockRef, ChainLog[]>): void {
  for (const [{ hash }, logs] of blocks) proven.set(hash, logs);
  ended.abort();
  logger.warn({ event: "logs_missing", blocks: [...blocks.keys()].map(({ number }) => number) });
}
