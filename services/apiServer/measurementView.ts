import type { MeasurementRow } from "./store/measurements.ts";

/** A measurement round as the API shows it. */
export function measurementOf(row: MeasurementRow) {
  return {
    id: row.id,
    nodeId: row.node_id,
    status: row.status,
    opensAt: row.opens_at,
    closesAt: row.closes_at,
    submissions: row.submissions,
    downMbps: row.down_mbps,
    upMbps: row.up_mbps,
    latencyMs: row.latency_tenth_ms === null ? null : row.latency_tenth_ms / 10,
    portsReachable: row.ports_reachable,
    diskFreeGib: row.disk_free_gib,
    diskWriteMibps: row.disk_write_mibps,
    expiresAt: row.expires_at,
    tier: row.tier,
  };
}
