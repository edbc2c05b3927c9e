import { createHash } from "node:crypto";
import type { Database, Queryable } from "@ngpu/db/pool";
import { releaseAbandoned } from "@ngpu/db/runnerLock";
import { NgpuError } from "@ngpu/runtime/errors";

/**
 * The ledger of steps sent to the chain (app.step). It prevents two instances, or two rounds of one instance, from
 * sending a step again before its effect is visible. It schedules retries of refused steps.
 */

// Seconds to wait for a transaction before another instance may take over the step, under the same attempt. The steps of a process
// that has ended are taken over earlier.
const claimSeconds = 120;
// A step whose effect is missing although it was mined (a reorg) is retried after this time.
const settleSeconds = 5;
const longestPauseSeconds = 300;

/** Keys of a workspace's steps that must not be sent now. `head` is the newest exported block. */
export async function stepsInProgress(
  db: Queryable,
  workspaceId: bigint,
  head: bigint,
): Promise<Set<string>> {
  const found = await db.query<{ key: string }>(
    `select key from app.step
     where workspace_id = $1 and (wait_until > now() or block_number > $2)`,
    [workspaceId, head],
  );
  return new Set(found.rows.map((row) => row.key));
}

/** A step. Its key is the same for every instance and every attempt. */
type LedgerItem = { key: string; workspaceId: bigint };

/**
 * Claims steps for this instance.
 *
 * @returns For each claimed step the name of its transaction. The name is unchanged if the last attempt was not
 *   settled, so that the sender repeats that transaction.
 */
async function claimSteps(
  db: Queryable,
  { items, head, runner }: { items: LedgerItem[]; head: bigint; runner: bigint },
): Promise<Map<string, string>> {
  const claimed = await db.query<{ key: string; attempt: number }>(
    `insert into app.step as step (key, workspace_id, wait_until, runner)
     select key, workspace_id, now() + make_interval(secs => $4), $5
     from unnest($1::text[], $2::numeric[]) as item (key, workspace_id)
     order by key
     on conflict (key) do update set
       attempt = step.attempt + step.settled::int, settled = false, tx_hash = null, block_number = null,
       wait_until = excluded.wait_until, runner = excluded.runner, updated_at = now()
     where step.wait_until <= now() and (step.block_number is null or step.block_number <= $3)
     returning key, attempt`,
    [items.map((item) => item.key), items.map((item) => item.workspaceId), head, claimSeconds, runner],
  );
  return new Map(claimed.rows.map(({ key, attempt }) => [key, `${key}#${attempt}`]));
}

/** Records that a step was mined. It stays in progress until its block is exported. */
async function recordDone(
  db: Queryable,
  key: string,
  transaction: { hash: string; blockNumber: bigint },
): Promise<void> {
  await db.query(
    `update app.step set settled = true, tx_hash = $2, block_number = $3, refusal = null, refusals = 0,
       wait_until = now() + make_interval(secs => $4), updated_at = now()
     where key = $1`,
    [key, transaction.hash, transaction.blockNumber, settleSeconds],
  );
}

/** Records a refusal. The step may be retried after a pause that doubles with each refusal. */
async function recordRefusal(db: Queryable, key: string, refusal: string): Promise<void> {
  await db.query(
    `update app.step set settled = true, block_number = null, refusal = $2, refusals = refusals + 1,
       wait_until = now() + make_interval(secs => least($3, power(2, least(refusals + 1, 16)))), updated_at = now()
     where key = $1`,
    [key, refusal, longestPauseSeconds],
  );
}

/** Deletes steps that have not changed for a week. */
export async function forgetOldSteps(db: Queryable): Promise<void> {
  await db.query("delete from app.step where updated_at < now() - interval '7 days'");
}

/** Releases the steps of processes that have ended before they settled them. The next claim repeats the same attempt. */
export function releaseAbandonedSteps(db: Database, self: bigint): Promise<number> {
  return releaseAbandoned(db, self, {
    open: "select runner from app.step where not settled and wait_until > now()",
    release: `update app.step set wait_until = now(), updated_at = now()
      where runner = $1 and not settled and wait_until > now()`,
  });
}

/** Releases steps whose attempt failed with a transient error. The next claim repeats the same attempt. */
async function releaseSteps(db: Queryable, keys: string[]): Promise<void> {
  await db.query(
    "update app.step set wait_until = now(), updated_at = now() where key = any($1) and not settled",
    [keys],
  );
}

/** The result of a batch transaction; `refusals` are the refused items by index. */
type BatchResult = {
  hash: string;
  receipt: { blockNumber: bigint };
  refusals: { index: number; error: { text: string } }[];
};

/**
 * Sends the steps that are not in progress in one transaction, and records the outcome of each.
 *
 * @param batch `head` is the newest exported block at the time of the decision, `runner` the number of this process
 *   (holdRunnerLock).
 * @param send Sends the given items. The dedupe key is the same if the same attempts are sent again after a crash.
 * @returns The outcome of each sent step; `refusal` is null for an accepted step.
 * @throws Any error of `send` except `transaction_reverted`, which counts as a refusal of every step.
 */
export async function sendSteps<Item extends LedgerItem>(
  db: Queryable,
  batch: { head: bigint; items: Item[]; runner: bigint },
  send: (items: Item[], dedupeKey: string) => Promise<BatchResult>,
): Promise<{ item: Item; refusal: string | null }[]> {
  const names = await claimSteps(db, batch);
  const items = batch.items.filter((item) => names.has(item.key));
  if (items.length === 0) return [];
  const dedupeKey = `steps:${sha256(items.map((item) => names.get(item.key)).join(","))}`;
  let result: BatchResult;
  try {
    result = await send(items, dedupeKey);
  } catch (error) {
    if (!(error instanceof NgpuError) || error.code !== "transaction_reverted") {
      await releaseSteps(
        db,
        items.map((item) => item.key),
      );
      throw error;
    }
    for (const item of items) await recordRefusal(db, item.key, error.message);
    return items.map((item) => ({ item, refusal: error.message }));
  }
  const refusals = new Map(result.refusals.map(({ index, error }) => [index, error.text]));
  const settled: { item: Item; refusal: string | null }[] = [];
  for (const [index, item] of items.entries()) {
    const refusal = refusals.get(index) ?? null;
    if (refusal === null) {
      await recordDone(db, item.key, { hash: result.hash, blockNumber: result.receipt.blockNumber });
    } else await recordRefusal(db, item.key, refusal);
    settled.push({ item, refusal });
  }
  return settled;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
