import type { Queryable } from "@ngpu/db/pool";
import { type ChainEventCode, chainEvents } from "@ngpu/protocol/reasons/chainEvents";
import type { ReasonCode } from "@ngpu/protocol/reasons/reasons";
import type { Tier } from "./escrow.ts";

/** An event of the chain. Times in Unix seconds. */
export type ChainEvent = {
  code: ChainEventCode;
  block: bigint;
  log: number;
  blockHash: string;
  txHash: string;
  at: number;
  replica: number | null;
  lease: number | null;
  nodeId: number | null;
  details: Record<string, unknown>;
  tier: Tier;
};

/** An event that a node or the market recorded. Times in Unix seconds. */
export type RecordedEvent = {
  id: bigint;
  position: bigint;
  source: "node" | "market";
  code: ReasonCode;
  at: number;
  firstAt: number;
  /** Null while it is so. */
  endedAt: number | null;
  count: number;
  replica: number;
  lease: number;
  nodeId: number | null;
  details: Record<string, unknown>;
};

const spec = "'image', image, 'maxPricePerSecond', spec_max_price_per_second::text";

/** The table of each event, whether it is of a lease, and its details. Amounts are text: JSON's numbers are not exact. */
const sources: Record<ChainEventCode, { table: string; ofLease?: false; details?: string }> = {
  workspace_published: {
    table: "workspace_published",
    ofLease: false,
    details: `${spec}, 'replicas', replicas`,
  },
  workspace_updated: { table: "workspace_updated", ofLease: false, details: spec },
  replicas_set: { table: "replicas_set", ofLease: false, details: "'replicas', replicas" },
  stopped_set: { table: "stopped_set", ofLease: false, details: "'stopped', stopped" },
  workspace_closed: { table: "workspace_closed", ofLease: false },
  replica_assigned: {
    table: "assigned",
    details: "'pricePerSecond', price_per_second::text, 'start', start",
  },
  start_ordered: { table: "start_requested" },
  stop_ordered: { table: "stop_requested" },
  delete_ordered: { table: "delete_requested" },
  image_progress: { table: "progress_reported", details: "'milestone', milestone" },
  state_reported: { table: "state_changed", details: "'state', state, 'detail', detail" },
  lease_lost: { table: "lease_lost", details: "'releasableAt', releasable_at::text" },
  lease_released: { table: "released", details: "'reason', reason" },
  lease_settled: { table: "settled", details: "'amount', amount::text" },
  lease_closed: { table: "lease_closed", details: "'reason', reason" },
  lease_refunded: { table: "refunded", details: "'amount', amount::text, 'day', day::text" },
};

/** Tables of schema chain with events of workspaces. */
export const historyTables: ReadonlySet<string> = new Set(
  Object.values(sources).map(({ table }) => `event_${table}`),
);

const chainQuery = `select history.*, chain.tier(block) as tier from (${(
  Object.keys(chainEvents) as ChainEventCode[]
)
  .map((code) => {
    const { table, ofLease, details = "" } = sources[code];
    const lease =
      ofLease === false
        ? 'null::int4 as replica, null::float8 as lease, null::float8 as "nodeId"'
        : 'replica::int4, lease::float8, node_id::float8 as "nodeId"';
    // The workspace's own index finds its events; the limit applies to each event.
    return `(select '${code}' as code, block_number as block, log_index as log, block_hash as "blockHash",
      tx_hash as "txHash", extract(epoch from block_time)::float8 as at, ${lease},
      jsonb_build_object(${details}) as details
    from chain.event_${table}
    where workspace_id = $1::numeric and (block_number, log_index) > ($2::int8, $3::int4)
    order by block_number, log_index limit $4)`;
  })
  .join(" union all ")}) as history order by block, log limit $4`;

/** The chain's events of a workspace after a log, in the order of the chain. */
export async function chainHistory(
  db: Queryable,
  workspaceId: string,
  after: { block: bigint; log: number },
  limit: number,
): Promise<ChainEvent[]> {
  const { rows } = await db.query<ChainEvent>(chainQuery, [workspaceId, after.block, after.log, limit]);
  return rows;
}

/** What was recorded of a workspace after a position, in the order of the positions. */
export async function recordedHistory(
  db: Queryable,
  workspaceId: string,
  after: bigint,
  limit: number,
): Promise<RecordedEvent[]> {
  const { rows } = await db.query<RecordedEvent>(
    `select id, position, source, code, extract(epoch from last_at)::float8 as at,
       extract(epoch from first_at)::float8 as "firstAt",
       extract(epoch from ended_at)::float8 as "endedAt", least(count, 9007199254740991)::float8 as count, replica,
       lease::float8 as lease, node_id as "nodeId", details
     from app.workspace_event where workspace_id = $1::numeric and position > $2 order by position limit $3`,
    [workspaceId, after, limit],
  );
  return rows;
}

/** The hash of a block, if the chain still has it, and the newest block that a reorg does not replace. */
export async function blockFacts(
  db: Queryable,
  block: bigint,
): Promise<{ hash: string | undefined; safe: bigint }> {
  const { rows } = await db.query<{ hash: string | null; safe: bigint }>(
    `select (select hash from chain.block where number = $1) as hash,
       coalesce((select number from chain.head where tier = 'safe'), -1)::int8 as safe`,
    [block],
  );
  return { hash: rows[0]?.hash ?? undefined, safe: rows[0]?.safe ?? -1n };
}
