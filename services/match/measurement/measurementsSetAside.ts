import type { Database } from "@ngpu/db/pool";
import { isSetAside } from "@ngpu/queries/measurements";
import type { Logger } from "@ngpu/runtime/logger";
import type { MatchMetrics } from "../metrics.ts";

type SetAside = { round_id: bigint; node_id: number } & Record<string, unknown>;

/** Valid measurements with a value above its bound. They count as failed rounds. */
async function readSetAside(pool: Database, now: number): Promise<SetAside[]> {
  const { rows } = await pool.query<SetAside>(
    `select round_id::numeric, node_id::float8, down_mbps, up_mbps, latency_tenth_ms, disk_free_gib, disk_write_mibps
     from chain.measurement as m where ${isSetAside("m")} and expires_at > $1 order by round_id limit 1000`,
    [now],
  );
  return rows;
}

/**
 * Counts the measurements that are set aside, and names each once.
 *
 * @param reported rounds that were named before
 * @param now Unix seconds, by the chain's clock
 */
export async function reportSetAside(
  { pool, metrics, logger }: { pool: Database; metrics: MatchMetrics; logger: Logger },
  reported: Set<bigint>,
  now: number,
): Promise<void> {
  const rows = await readSetAside(pool, now);
  metrics.measurementsSetAside.set(rows.length);
  for (const { round_id: roundId, node_id: nodeId, ...values } of rows) {
    if (!reported.has(roundId)) logger.error({ event: "measurement_set_aside", roundId, nodeId, ...values });
  }
  reported.clear();
  for (const { round_id } of rows) reported.add(round_id);
}
