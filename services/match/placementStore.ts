import type { NodeStatus } from "../shared/chain/names.ts";
import { type Connection, type Database, type Queryable, transaction } from "../shared/db/pool.ts";
import { RetryableError } from "../shared/errors.ts";
import { toJson } from "../shared/json.ts";
import type { Decision } from "./decide.ts";
import type { Capacity, Fleet, FleetNode, PlacementRequest } from "./fleet.ts";
import { without } from "./misses.ts";

/** The newest exported block. */
export async function readHead(db: Queryable): Promise<Fleet["block"]> {
  const { rows } = await db.query<{ number: bigint; hash: string; time: number }>(
    `select h.number::bigint as number, h.hash, extract(epoch from b.time)::int as time
     from chain.head h join chain.block b on b.number = h.number where h.tier = 'unsafe'`,
  );
  if (rows[0] === undefined) {
    throw new RetryableError("No block has been exported yet.", { code: "export_not_started" });
  }
  return rows[0];
}

type NodeRow = Capacity & {
  node_id: number;
  status: NodeStatus;
  gpu_model: string | null;
  vram_mib: number;
  compute_capability: number;
  region: string | null;
  price: bigint;
};
type HeldRow = Capacity & { node_id: number; workspace_id: bigint; image: string; has_image: boolean };

const resourceColumns = (gpus: string) =>
  `${gpus}::int as gpus, cpu_milli::int as "cpuMilli", memory_mib::int as "memoryMib", ` +
  `disk_gib::int as "diskGib", ports::int as ports`;

/** The whole fleet at the newest exported block, in one snapshot. */
export function readFleet(pool: Database): Promise<Fleet> {
  return transaction(pool, async (db) => {
    await db.query("set transaction isolation level repeatable read, read only");
    const block = await readHead(db);
    const nodes = await db.query<NodeRow>(
      `select node_id::int, status, gpu_model, vram_mib::int, compute_capability::int, region,
         price_per_second::numeric as price, ${resourceColumns("gpu_count")}
       from chain.node order by node_id`,
    );
    const held = await db.query<HeldRow>(
      `select a.node_id::int, a.workspace_id::numeric, w.image, a.state in ('ready', 'running', 'stopped') as has_image,
         ${resourceColumns("gpus")}
       from chain.assignment a join chain.workspace w using (workspace_id)
       where a.release_reason is null order by a.workspace_id, a.replica`,
    );
    const measured = await db.query<{ node_id: number }>(
      `select distinct node_id::int from chain.measurement
       where status = 'finalized' and submissions > 0 and expires_at > $1`,
      [block.time],
    );
    return {
      block,
      nodes: assemble(nodes.rows, held.rows, new Set(measured.rows.map((row) => row.node_id))),
    };
  });
}

function assemble(rows: NodeRow[], held: HeldRow[], measured: Set<number>): FleetNode[] {
  const byNode = Map.groupBy(held, (row) => row.node_id);
  return rows.map((row) => {
    const { gpus, cpuMilli, memoryMib, diskGib, ports } = row;
    const total = { gpus, cpuMilli, memoryMib, diskGib, ports };
    const own = byNode.get(row.node_id) ?? [];
    return {
      nodeId: row.node_id,
      status: row.status,
      gpuModel: told(row.gpu_model),
      vramMib: row.vram_mib,
      computeCapability: row.compute_capability,
      region: told(row.region),
      total,
      free: own.reduce(without, total),
      pricePerSecond: row.price,
      measured: measured.has(row.node_id),
      images: new Set(own.filter((lease) => lease.has_image).map((lease) => lease.image)),
      workspaces: own.map((lease) => lease.workspace_id),
    };
  });
}

/** Null for what is empty or all zeros. */
function told(value: string | null): string | null {
  return value === null || value === "" || /^0x0*$/.test(value) ? null : value;
}

export type AskedPlacement = {
  request_id: string;
  workspace_id: bigint;
  replica: number;
  excluded: number[];
};

/**
 * Takes a request that nobody has answered; the row, and the order of answers for its workspace, stay locked until the
 * transaction ends.
 */
export async function takeAsked(db: Connection, requestId: string): Promise<AskedPlacement | undefined> {
  const { rows } = await db.query<AskedPlacement>(
    `select request_id, workspace_id, replica, excluded from app.placement
     where request_id = $1 and status = 'asked' for update skip locked`,
    [requestId],
  );
  const asked = rows[0];
  if (asked !== undefined) {
    await db.query("select pg_advisory_xact_lock(hashtextextended('placement ' || $1::text, 0))", [
      asked.workspace_id,
    ]);
  }
  return asked;
}

/** What the workspace's spec asks for; undefined when it is not open. */
export async function readWanted(
  db: Queryable,
  asked: AskedPlacement,
): Promise<Omit<PlacementRequest, "place"> | undefined> {
  const { rows } = await db.query<
    Capacity & {
      image: string;
      gpu_model: string | null;
      vram: number;
      capability: number;
      region: string | null;
      price: bigint;
    }
  >(
    `select image, gpu_model, min_vram_mib::int as vram, min_compute_capability::int as capability, region,
       max_price_per_second::numeric as price, ${resourceColumns("gpus")}
     from chain.workspace where workspace_id = $1 and status = 'open'`,
    [asked.workspace_id],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  const { gpus, cpuMilli, memoryMib, diskGib, ports } = row;
  return {
    workspaceId: asked.workspace_id,
    excluded: asked.excluded,
    image: row.image,
    gpuModel: told(row.gpu_model),
    minVramMib: row.vram,
    minComputeCapability: row.capability,
    region: told(row.region),
    wanted: { gpus, cpuMilli, memoryMib, diskGib, ports },
    maxPricePerSecond: row.price,
  };
}

/** Answers for other replicas of the workspace that the chain does not show yet: they take their capacity first. */
export async function countPending(db: Queryable, asked: AskedPlacement): Promise<number> {
  const { rows } = await db.query<{ count: bigint }>(
    `select count(*) as count from app.placement p
     where p.workspace_id = $1 and p.replica <> $2 and p.status in ('answered', 'used')
       and p.answered_at > now() - interval '60 seconds'
       and not exists (select from chain.assignment a
         where a.workspace_id = p.workspace_id and a.replica = p.replica and a.assigned_block > p.block_number)`,
    [asked.workspace_id, asked.replica],
  );
  return Number(rows[0]?.count ?? 0n);
}

/** Writes the answer and tells dispense. */
export async function writeAnswer(
  db: Connection,
  answer: { requestId: string; block: Fleet["block"]; place: number; decision: Decision },
): Promise<void> {
  const { decision, block } = answer;
  const placed = decision.type === "placed";
  await db.query(
    `update app.placement set status = $2, block_number = $3, block_hash = $4, place = $5, node_id = $6,
       ranking = $7, refusals = $8, answered_at = now() where request_id = $1`,
    [
      ...[answer.requestId, placed ? "answered" : "impossible", block.number, block.hash, answer.place],
      placed ? decision.nodeId : null,
      toJson(placed ? decision.ranking : []),
      toJson({ counts: decision.refusals, nearest: placed ? null : decision.nearest }),
    ],
  );
  await db.query("select pg_notify('app_changed', 'placement')");
}

/** Requests that waited longer than a queue takes: a lost Redis forgot them. */
export async function forgottenRequests(pool: Database): Promise<string[]> {
  const { rows } = await pool.query<{ request_id: string }>(
    `select request_id from app.placement where status = 'asked' and asked_at < now() - interval '1 second'
     order by asked_at limit 200`,
  );
  return rows.map((row) => row.request_id);
}
