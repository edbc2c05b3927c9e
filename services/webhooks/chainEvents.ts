import type { Connection } from "@ngpu/db/pool";
import type { WebhookEventType } from "@ngpu/protocol/webhooks";
import type { Happening } from "./happening.ts";

type Cursor = { block: bigint; log: number; hash: string };

type ChainRow = {
  type: WebhookEventType;
  wallet: string;
  block: bigint;
  log: number;
  hash: string;
  txHash: string;
  at: Date;
  workspaceId: string;
  replica: number | null;
  lease: number | null;
  nodeId: number | null;
};

/** Hours after which an event of the chain is not news: it was exported again. */
const freshHours = 72;
const lastLog = 2 ** 31 - 1;

const common = `block_number as block, log_index as log, block_hash as hash, tx_hash as "txHash", block_time as at,
  workspace_id::text as "workspaceId"`;
const ofLease = `replica::int4, lease::float8, node_id::float8 as "nodeId"`;
const after = `(block_number, log_index) > ($1::int8, $2::int4) and block_number <= $3`;
const order = "order by block_number, log_index limit $4";

const changesQuery = `select happened.*, workspace.owner as wallet from (
    (select 'replica.' || state as type, ${common}, ${ofLease} from chain.event_state_changed
     where ${after} and state in ('running', 'stopped', 'failed') ${order})
    union all
    (select 'replica.lost', ${common}, ${ofLease} from chain.event_lease_lost where ${after} ${order})
    union all
    (select 'workspace.closed', ${common}, null, null, null from chain.event_workspace_closed where ${after} ${order})
    order by block, log limit $4
  ) as happened left join chain.workspace as workspace on workspace.workspace_id = happened."workspaceId"::int8
  order by block, log`;

/** The chain's events after the stored place, which moves on in the caller's transaction. */
export async function chainEvents(
  db: Connection,
  limit: number,
): Promise<{ happenings: Happening[]; more: boolean }> {
  const head = await findHead(db);
  if (head === undefined) return { happenings: [], more: false };
  const from = await findCursor(db, head);
  const { rows } = await db.query<ChainRow>(changesQuery, [from.block, from.log, head.block, limit]);
  const last = rows.at(-1);
  const isFull = rows.length === limit && last !== undefined;
  const to = isFull ? { block: last.block, log: last.log, hash: last.hash } : head;
  if (to.hash !== from.hash || to.log !== from.log) await storeCursor(db, to);
  const audience = await findAudience(db, [...new Set(rows.map(({ wallet }) => wallet))]);
  const oldest = Date.now() - freshHours * 3_600_000;
  const news = rows.filter(({ wallet, at }) => audience.has(wallet) && at.getTime() > oldest);
  return { happenings: news.map(chainEvent), more: isFull };
}

async function findHead(db: Connection): Promise<Cursor | undefined> {
  const { rows } = await db.query<{ block: bigint; hash: string }>(
    `select block.number as block, block.hash from chain.head as head join chain.block as block on block.number = head.number
     where head.tier = 'unsafe'`,
  );
  return rows[0] && { ...rows[0], log: lastLog };
}

/** The stored place. Where a reorg has replaced its block, what follows the safe head is read again. At first it is the head. */
async function findCursor(db: Connection, head: Cursor): Promise<Cursor> {
  const { rows } = await db.query<Cursor & { known: boolean; safe: bigint }>(
    `select cursor.block_number as block, cursor.log_index as log, cursor.block_hash as hash,
       coalesce(block.hash = cursor.block_hash, false) as known,
       coalesce((select number from chain.head where tier = 'safe'), -1)::int8 as safe
     from app.webhook_cursor as cursor left join chain.block as block on block.number = cursor.block_number`,
  );
  const [stored] = rows;
  if (stored === undefined) {
    await storeCursor(db, head);
    return head;
  }
  const { block, log, hash, known, safe } = stored;
  return known ? { block, log, hash } : { block: safe < block ? safe : -1n, log: lastLog, hash: "" };
}

async function storeCursor(db: Connection, { block, log, hash }: Cursor): Promise<void> {
  await db.query(
    `insert into app.webhook_cursor (block_number, log_index, block_hash) values ($1, $2, $3)
     on conflict (id) do update set block_number = $1, log_index = $2, block_hash = $3`,
    [block, log, hash],
  );
}

async function findAudience(db: Connection, wallets: readonly string[]): Promise<Set<string>> {
  if (wallets.length === 0) return new Set();
  const { rows } = await db.query<{ wallet: string }>(
    "select wallet from app.webhook_audience where wallet = any($1) and until > now()",
    [wallets],
  );
  return new Set(rows.map(({ wallet }) => wallet));
}

function chainEvent(row: ChainRow): Happening {
  const { type, wallet, at, workspaceId, replica, lease, nodeId, block, hash, log, txHash } = row;
  const where = { block: String(block), txHash };
  const data =
    replica === null
      ? { workspace: { workspaceId, ...where } }
      : { replica: { workspaceId, replica, lease, nodeId, ...where } };
  return { wallet, at, type, data, sourceKey: `chain ${hash} ${log}` };
}
