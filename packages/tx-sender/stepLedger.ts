import { createHash } from "node:crypto";
import type { Queryable } from "@ngpu/db/pool";
import { NgpuError } from "@ngpu/runtime/errors";

/**
 * The ledger of steps sent to the chain (app.step): keeps two instances, or two rounds of one, from sending the same step
 * while its effect is not yet visible, and lets a refused step be tried again later.
 */

// Longest time that a transaction is waited for before another instance takes the step over, under the same attempt.
const claimSeconds = 120;
// A step that was done and whose effect is missing all the same (a reorg) is tried again after this.
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

/** A step as the ledger knows it: the key is the same for every instance and every try. */
type LedgerItem = { key: string; workspaceId: bigint };

/**
 * Takes steps on for this instance.
 *
 * @returns For each step that was free, the name of its transaction: the same again when an attempt was begun but not
 * settled, so that the sender repeats rather than adds.
 */
async function claimSteps(db: Queryable, items: LedgerItem[], head: bigint): Promise<Map<string, string>> {
  const claimed = await db.query<{ key: string; attempt: number }>(
    `insert into app.step as step (key, workspace_id, wait_until)
     select key, workspace_id, now() + make_interval(secs => $4)
     from unnest($1::text[], $2::numeric[]) as item (key, workspace_id)
     order by key
     on conflict (key) do update set
       attempt = step.attempt + step.settled::int, settled = false, tx_hash = null, block_number = null,
       wait_until = excluded.wait_until, updated_at = now()
     where step.wait_until <= now() and (step.block_number is null or step.block_number <= $3)
     returning key, attempt`,
    [items.map((item) => item.key), items.map((item) => item.workspaceId), head, claimSeconds],
  );
  return new Map(claimed.rows.map(({ key, attempt }) => [key, `${key}#${attempt}`]));
}

/** Records that the chain took a step in this block; it stays under way until the block is exported. */
async function stepDone(
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

/** Records a refusal: the step may be tried again after a pause that doubles with each one. */
async function stepRefused(db: Queryable, key: string, refusal: string): Promise<void> {
  await db.query(
    `update app.step set settled = true, block_number = null, refusal = $2, refusals = refusals + 1,
       wait_until = now() + make_interval(secs => least($3, power(2, least(refusals + 1, 16)))), updated_at = now()
     where key = $1`,
    [key, refusal, longestPauseSeconds],
  );
}

/** Forgets steps that nothing was heard of for a week. */
export async function forgetOldSteps(db: Queryable): Promise<void> {
  await db.query("delete from app.step where updated_at < now() - interval '7 days'");
}

/** Gives a step back whose attempt met a passing fault: the next one repeats the same attempt. */
async function returnSteps(db: Queryable, keys: string[]): Promise<void> {
  await db.query(
    "update app.step set wait_until = now(), updated_at = now() where key = any($1) and not settled",
    [keys],
  );
}

/** What a sender tells of a batch: items it refused by their place. */
type BatchResult = {
  hash: string;
  receipt: { blockNumber: bigint };
  refusals: { index: number; error: { text: string } }[];
};

/**
 * Sends those of the steps that are not under way, in one transaction, and records how each one went.
 *
 * @param batch `head` is the newest exported block when the steps were decided.
 * @param send Sends the items given to it; the dedupe key is the same when the same attempts are sent again after a crash.
 * @returns How each step that was sent went; `refusal` is null for one that the chain took.
 * @throws What `send` throws, unless the chain refused the call as a whole.
 */
export async function sendSteps<Item extends LedgerItem>(
  db: Queryable,
  batch: { head: bigint; items: Item[] },
  send: (items: Item[], dedupeKey: string) => Promise<BatchResult>,
): Promise<{ item: Item; refusal: string | null }[]> {
  const names = await claimSteps(db, batch.items, batch.head);
  const items = batch.items.filter((item) => names.has(item.key));
  if (items.length === 0) return [];
  const dedupeKey = `steps:${sha256(items.map((item) => names.get(item.key)).join(","))}`;
  let result: BatchResult;
  try {
    result = await send(items, dedupeKey);
  } catch (error) {
    if (!(error instanceof NgpuError) || error.code !== "chain_refused") {
      await returnSteps(
        db,
        items.map((item) => item.key),
      );
      throw error;
    }
    for (const item of items) await stepRefused(db, item.key, error.message);
    return items.map((item) => ({ item, refusal: error.message }));
  }
  const refusals = new Map(result.refusals.map(({ index, error }) => [index, error.text]));
  const settled: { item: Item; refusal: string | null }[] = [];
  for (const [index, item] of items.entries()) {
    const refusal = refusals.get(index) ?? null;
    if (refusal === null) {
      await stepDone(db, item.key, { hash: result.hash, blockNumber: result.receipt.blockNumber });
    } else await stepRefused(db, item.key, refusal);
    settled.push({ item, refusal });
  }
  return settled;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
