import { type FollowOptions, follow } from "@ngpu/chain-reader/follow";
import type { BlockRef } from "@ngpu/chain-reader/reconcile";
import type { ChainLog, RpcClient } from "@ngpu/chain-reader/rpc";
import type { FollowStep } from "@ngpu/chain-reader/steps";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { leaderships } from "@ngpu/db/leader";
import { type Connection, type Database, translateDatabaseFault } from "@ngpu/db/pool";
import { isRetryable, RetryableError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest, startLoop } from "@ngpu/runtime/loop";
import type { Hex } from "viem";
import { searchLeftOut, startAudit } from "./audit.ts";
import { type EventRows, indexEvents, rowsOf, sourceAddresses } from "./decode.ts";
import type { Definitions } from "./definitions.ts";
import { followHeads } from "./heads.ts";
import type { Watch } from "./metrics.ts";
import { planBuild } from "./prepare.ts";
import {
  chainSchema,
  holdsBlock,
  lacksValue,
  prepareWriter,
  readBlocks,
  revertBlocks,
  saveBlocks,
} from "./store.ts";
import { takeTurns } from "./turns.ts";

export type ExportParts = {
  pool: Database;
  client: RpcClient;
  deployment: Pick<Deployment, "chainId" | "startBlock" | "contracts" | "former">;
  definitions: Definitions;
  watch: Watch;
  logger: Logger;
  signal: AbortSignal;
  /** Most blocks whose rows are compared with their receipts in a round, and milliseconds between rounds. Default 2, 1,000. */
  audit?: { blocks?: number; interval?: number };
  /** Passed on to `follow`. */
  following?: Pick<FollowOptions, "interval" | "maxRange">;
};

/** Of blocks of which an endpoint had left logs out, by the block's hash. */
type Proven = Map<Hex, ChainLog[]>;

const retryPause = 1_000;
const lockPause = 250;
const headsInterval = 1_000;
const recentBlocks = 1_024;

/**
 * Exports the chain whenever no other instance does, until the signal is aborted. The lock and every write are on one
 * connection: when that breaks, or the process dies, lock and open transaction go together, and another may go on.
 *
 * @throws FatalError and whatever else trying again cannot get over.
 */
export async function exportChain(parts: ExportParts): Promise<void> {
  const proven: Proven = new Map();
  while (!parts.signal.aborted) {
    try {
      await competeOnce(parts, proven);
    } catch (error) {
      if (parts.signal.aborted) return;
      if (!isRetryable(error)) throw error;
      parts.logger.warn({ event: "export_interrupted", error });
    }
    await rest(retryPause, parts.signal);
  }
}

async function competeOnce(parts: ExportParts, proven: Proven): Promise<void> {
  const lost = new AbortController();
  let connection: Connection | undefined;
  try {
    connection = await parts.pool.connect();
    connection.on("error", (error) => lost.abort(error));
    connection.on("end", () => lost.abort());
    // A peer that vanished without a word frees the lock within seconds, not hours. What Postgres forgets in a crash
    // is read from the chain again, since rows and cursor are one transaction: it need not wait for the disk.
    await connection.query(
      `set search_path to ${chainSchema}; set synchronous_commit to off; set tcp_keepalives_idle to 2; set tcp_keepalives_interval to 1; set tcp_keepalives_count to 2`,
    );
    if (!(await takeLock(connection, parts))) return;
    parts.logger.info({ event: "export_leading" });
    await lead({ ...parts, signal: AbortSignal.any([parts.signal, lost.signal]) }, connection, proven);
    lost.signal.throwIfAborted();
  } catch (error) {
    throw lost.signal.aborted
      ? new RetryableError("The connection to Postgres broke.", {
          code: "database_unreachable",
          cause: error,
        })
      : translateDatabaseFault(error);
  } finally {
    parts.watch.became("starting");
    // Not back into the pool: with the connection goes the lock.
    connection?.release(true);
  }
}

/** False when the signal was aborted first. */
async function takeLock(connection: Connection, { signal, watch }: ExportParts): Promise<boolean> {
  while (!signal.aborted) {
    const { rows } = await connection.query<{ held: boolean }>("select pg_try_advisory_lock($1) as held", [
      leaderships.autoExport,
    ]);
    if (rows[0]?.held === true) {
      watch.became("starting");
      return true;
    }
    watch.became("standby");
    await rest(lockPause, signal);
  }
  return false;
}

/** Until the signal is aborted, the chain's first block turns out to be another one, or blocks are to be read again. */
async function lead(parts: ExportParts, db: Connection, proven: Proven): Promise<void> {
  const { client, definitions, deployment, logger, watch } = parts;
  const { isEmpty, build } = await planBuild(parts, db);
  const ended = new AbortController();
  const signal = AbortSignal.any([parts.signal, ended.signal]);
  const exclusively = takeTurns();
  // While one step is stored the next is read and decoded: `follow` knows by itself what it has given out. So it is with the
  // first one while the schema is built.
  const ready = exclusively(async () => {
    await build();
    await prepareWriter(db, definitions);
    watch.became("leader");
  });
  let storing = ready;
  storing.catch(() => ended.abort());
  const heads = startLoop({ name: "heads", logger, signal, interval: headsInterval }, () =>
    followHeads(client, db, exclusively),
  );
  const find = indexEvents(definitions.tables, deployment);
  const { blocks: auditBlocks = 2, interval: auditInterval = 1_000 } = parts.audit ?? {};
  const compared = {
    client,
    pool: parts.pool,
    schema: chainSchema,
    definitions,
    find,
    onResult: watch.audited,
  };
  const audit =
    auditBlocks === 0
      ? undefined
      : startAudit(
          { ...compared, repair, blocks: auditBlocks, ready },
          { logger, signal, interval: auditInterval },
        );
  const steps = follow({
    ...parts.following,
    client,
    addresses: sourceAddresses(definitions.tables, deployment),
    from: deployment.startBlock,
    proven,
    cursor: {
      recent: async () => (isEmpty ? [] : exclusively(() => readBlocks(db, null, recentBlocks))),
      older: (below) => exclusively(() => readBlocks(db, below, recentBlocks)),
    },
    signal,
    logger,
    onFault: watch.sawFault,
    onHead: watch.sawHead,
  });
  try {
    for await (const step of steps) {
      const rows = step.type === "blocks" ? rowsOf(step.blocks, find) : new Map();
      await storing;
      storing = exclusively(() => store(step, rows)).then(
        (events) => {
          if (events !== undefined) watch.stored(step, events);
        },
        (error) => heal(step, error),
      );
      storing.catch(() => ended.abort());
      if (step.type === "reorg" && step.ancestor === null) break;
    }
    await storing;
  } finally {
    ended.abort();
    await Promise.allSettled([storing]);
    watch.became("starting");
    await heads.done;
    await audit?.done;
  }

  /** A row that lacks what an earlier event says may be the first to show that an endpoint left that event's log out. */
  async function heal(step: FollowStep, error: unknown): Promise<void> {
    if (step.type !== "blocks" || !lacksValue(error)) throw error;
    const { isStored, proven: found } = await searchLeftOut(compared, step.blocks);
    if (found.size === 0) throw error;
    if (isStored) await repair(found);
    else readAgain(found);
  }

  /** Ends the way: from where the cursor stands it is gone anew, with these logs. What was read meanwhile must not be stored any more. */
  function readAgain(blocks: ReadonlyMap<BlockRef, ChainLog[]>): void {
    for (const [{ hash }, logs] of blocks) proven.set(hash, logs);
    ended.abort();
    logger.warn({ event: "logs_missing", blocks: [...blocks.keys()].map(({ number }) => number) });
  }

  /** As if the blocks were no more on the chain: what stands in the cursor afterwards is gone on from. */
  function repair(blocks: ReadonlyMap<BlockRef, ChainLog[]>): Promise<void> {
    return exclusively(async () => {
      const [first] = blocks.keys();
      if (first === undefined || ended.signal.aborted || !(await holdsBlock(db, first))) return;
      readAgain(blocks);
      const [parent] = await readBlocks(db, first.number, 1);
      await revertBlocks(db, definitions, parent ?? null);
    });
  }

  /** Undefined when it was not stored, since the way ended meanwhile. */
  async function store(step: FollowStep, rows: EventRows): Promise<number | undefined> {
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
}
