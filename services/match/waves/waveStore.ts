import type { Database } from "@ngpu/db/pool";
import { newestClaim } from "@ngpu/queries/claims";
import type { Hex } from "viem";
import { isLive } from "../sessions/sessionStore.ts";

/** A wave that this market serves. */
export type ServedWave = {
  fillBlock: number;
  fillHash: Hex;
  blockMs: number;
  /** Unix seconds. */
  beganAt: number;
  /** Null until it is opened on the chain. */
  waveId: number | null;
  drawn: number[] | null;
};

const columns = `fill_block::float8 as "fillBlock", fill_hash as "fillHash", block_ms as "blockMs",
  extract(epoch from began_at)::float8 as "beganAt", wave_id::float8 as "waveId", drawn`;

export type ExportedBlock = { number: number; hash: Hex; time: number };

/** The exported blocks of a range whose number is a multiple of `stride`, in their order. */
export async function readBlocks(
  pool: Database,
  { from, to, stride }: { from: number; to: number; stride: number },
): Promise<ExportedBlock[]> {
  const { rows } = await pool.query<ExportedBlock>(
    `select number::float8 as number, hash, extract(epoch from time)::float8 as time from chain.block
      where number between $1 and $2 and number % $3 = 0 order by number`,
    [Math.max(0, from), to, stride],
  );
  return rows;
}

/** The first block of the last wave that is opened, or that may still be: no other begins before its audit. */
export async function lastFillBlock(pool: Database, openable: number): Promise<number | undefined> {
  const { rows } = await pool.query<{ last: number | null }>(
    `select greatest((select max(fill_block) from chain.wave), (select max(wave.fill_block) from app.wave
       join chain.block on number = fill_block and hash = fill_hash where fill_block >= $1))::float8 as last`,
    [openable],
  );
  return rows[0]?.last ?? undefined;
}

/** A node with a claim and a session. */
export type ClaimingNode = { nodeId: number; host: string; devices: Hex[] };

/** The nodes whose claims were on the chain at a block, and that have a session now. */
export async function claimingNodes(pool: Database, block: number): Promise<ClaimingNode[]> {
  const { rows } = await pool.query<ClaimingNode>(
    `select distinct on (claim.node_id) claim.node_id::float8 as "nodeId", session.host, claim.devices
       from chain.hardware_claim_at($1) as claim
       join (select s.* from app.session as s where s.role = 'node' and ${isLive}) as session
         on session.subject_id = claim.node_id
      where cardinality(claim.devices) > 0 order by claim.node_id, ${newestClaim("claim")}`,
    [block],
  );
  return rows;
}

/** Ports of measurements in progress, as `host:port`. */
export async function takenPorts(pool: Database): Promise<Set<string>> {
  const { rows } = await pool.query<{ place: string }>(
    "select host || ':' || unnest(ports) as place from app.measure_round where status not in ('done', 'failed')",
  );
  return new Set(rows.map(({ place }) => place));
}

export type WaveNode = {
  nodeId: number;
  host: string;
  port: number;
  token: string;
  claims: { device: number; bytes: string }[];
};

/** Stores a wave with its nodes, in place of one that a reorganization removed. A second call changes nothing. */
export async function putWave(
  pool: Database,
  wave: Pick<ServedWave, "fillBlock" | "fillHash" | "blockMs" | "beganAt">,
  nodes: readonly WaveNode[],
): Promise<void> {
  await pool.query("delete from app.wave where fill_block = $1 and fill_hash <> $2", [
    wave.fillBlock,
    wave.fillHash,
  ]);
  await pool.query(
    `with stored as (
       insert into app.wave (fill_block, fill_hash, block_ms, began_at) values ($1, $2, $3, to_timestamp($4))
       on conflict do nothing returning fill_block
     ), with_nodes as (
       insert into app.wave_node (fill_block, node_id, host, port, token, claims)
       select stored.fill_block, node_id, host, port, token, claims
       from stored, unnest($5::int[], $6::text[], $7::int[], $8::text[], $9::jsonb[])
         as node (node_id, host, port, token, claims)
     )
     select pg_notify('app_changed', 'wave') from stored`,
    [
      wave.fillBlock,
      wave.fillHash,
      wave.blockMs,
      wave.beganAt,
      nodes.map(({ nodeId }) => nodeId),
      nodes.map(({ host }) => host),
      nodes.map(({ port }) => port),
      nodes.map(({ token }) => token),
      nodes.map(({ claims }) => JSON.stringify(claims)),
    ],
  );
}

/** The waves that began at a block or later and are still on the chain, oldest first. */
export async function servedWaves(pool: Database, from: number): Promise<ServedWave[]> {
  const { rows } = await pool.query<ServedWave>(
    `select ${columns} from app.wave join chain.block on number = fill_block and hash = fill_hash
      where fill_block >= $1 order by fill_block`,
    [from],
  );
  return rows;
}

export async function readNodes(pool: Database, fillBlock: number): Promise<WaveNode[]> {
  const { rows } = await pool.query<WaveNode>(
    `select node_id as "nodeId", host, port, token, claims from app.wave_node where fill_block = $1 order by node_id`,
    [fillBlock],
  );
  return rows;
}

/** Records the number of an opened wave and the measurers that it draws. */
export async function recordDraw(
  pool: Database,
  { fillBlock, waveId, drawn }: { fillBlock: number; waveId: number; drawn: readonly number[] },
): Promise<void> {
  await pool.query(
    `with named as (update app.wave set wave_id = $2, drawn = $3 where fill_block = $1 returning 1)
     select pg_notify('app_changed', 'wave') from named`,
    [fillBlock, waveId, drawn],
  );
}

/** Waves whose reveals have ended by a block and that have no verdict here. */
export async function unjudgedWaves(
  pool: Database,
  { until, limit }: { until: number; limit: number },
): Promise<ServedWave[]> {
  const { rows } = await pool.query<ServedWave>(
    `select ${columns} from app.wave where verdict is null and fill_block <= $1 order by fill_block limit $2`,
    [until, limit],
  );
  return rows;
}

export type StoredVerdict = { verdict: string; passed: number; failed: number; kept: number };

export async function recordVerdict(
  pool: Database,
  fillBlock: number,
  { verdict, passed, failed, kept }: StoredVerdict,
): Promise<void> {
  await pool.query(
    "update app.wave set verdict = $2, passed = $3, failed = $4, kept = $5 where fill_block = $1",
    [fillBlock, verdict, passed, failed, kept],
  );
  // The chain keeps what counts.
  await pool.query(
    "delete from app.wave where verdict is not null and created_at < now() - interval '7 days'",
  );
  await pool.query("delete from app.wave_reveal where created_at < now() - interval '7 days'");
}
