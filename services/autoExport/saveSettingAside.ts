import type { FollowedBlock } from "@ngpu/chain-reader/blocks";
import type { ChainLog } from "@ngpu/chain-reader/rpc";
import type { Connection } from "@ngpu/db/pool";
import { type EventIndex, rowsOf } from "./decode.ts";
import type { Definitions } from "./definitions.ts";
import type { LogSetAside } from "./setAside.ts";
import { isDataError, saveBlocks } from "./store.ts";

type SaveParts = {
  db: Connection;
  definitions: Definitions;
  find: EventIndex;
  onSetAside?: (one: LogSetAside) => void;
};

/**
 * Stores blocks like saveBlocks. When their rows cannot be stored, each block is stored by itself, and the logs that Postgres or a
 * projection refuses are set aside.
 *
 * @throws pg.DatabaseError when the error is not one of values.
 */
export async function saveSettingAside(
  parts: SaveParts,
  blocks: readonly FollowedBlock[],
  options: { silent?: boolean } = {},
): Promise<void> {
  const { db, definitions, find, onSetAside } = parts;
  try {
    const found: LogSetAside[] = [];
    const rows = rowsOf(blocks, find, { onSetAside: (one) => found.push(one) });
    await saveBlocks(db, definitions, blocks, rows, options);
    for (const one of found) onSetAside?.(one);
  } catch (error) {
    if (!isDataError(error)) throw error;
    for (const block of blocks) await saveBlock(parts, block, options);
  }
}

async function saveBlock(
  parts: SaveParts,
  block: FollowedBlock,
  options: { silent?: boolean },
): Promise<void> {
  const { db, definitions, find, onSetAside } = parts;
  const wanted = block.logs.filter((log) => find(log) !== undefined);
  const aside = new Map<ChainLog, unknown>();
  for (;;) {
    const found: LogSetAside[] = [];
    const rows = rowsOf([block], find, { logs: aside, onSetAside: (one) => found.push(one) });
    try {
      await saveBlocks(db, definitions, [block], rows, options);
      for (const one of found) onSetAside?.(one);
      return;
    } catch (error) {
      // Every round sets one more log aside.
      if (!isDataError(error) || aside.size === wanted.length) throw error;
      const refused = await firstRefused(parts, block, { aside, wanted, error });
      aside.set(refused.log, refused.error);
    }
  }
}

/** The first log with which the block cannot be stored, by a binary search over the number of its logs. */
async function firstRefused(
  parts: SaveParts,
  block: FollowedBlock,
  { aside, wanted, error }: { aside: ReadonlyMap<ChainLog, unknown>; wanted: ChainLog[]; error: unknown },
): Promise<{ log: ChainLog; error: unknown }> {
  const logs = wanted.filter((log) => !aside.has(log));
  let stored = 0;
  let refused = { count: logs.length, error };
  while (refused.count - stored > 1) {
    const count = (stored + refused.count) >> 1;
    const failure = await refusalOf(parts, { ...block, logs: logs.slice(0, count) });
    if (failure === undefined) stored = count;
    else refused = { count, error: failure };
  }
  return { log: logs[refused.count - 1] as ChainLog, error: refused.error };
}

/** The error of storing a block; undefined when it can be stored. Nothing is stored. */
async function refusalOf({ db, definitions, find }: SaveParts, block: FollowedBlock): Promise<unknown> {
  await db.query("begin");
  try {
    await saveBlocks(db, definitions, [block], rowsOf([block], find), { silent: true });
    return undefined;
  } catch (error) {
    if (!isDataError(error)) throw error;
    return error;
  } finally {
    // A broken connection has ended the transaction; the error of the statement is thrown.
    await db.query("rollback").catch(() => undefined);
  }
}
