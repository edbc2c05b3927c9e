import { measurementBounds } from "@ngpu/protocol/measurementBounds";

const columns = {
  downMbps: "down_mbps",
  upMbps: "up_mbps",
  latencyTenthMs: "latency_tenth_ms",
  diskFreeGib: "disk_free_gib",
  diskWriteMibps: "disk_write_mibps",
} as const satisfies Record<keyof typeof measurementBounds, string>;

/**
 * SQL: the row of chain.measurement is the result of a round that found the node, and no value is above its bound. Without
 * it, one row with the highest value of its width would decide placements.
 */
export const isGood = (row: string) =>
  [
    `${row}.status = 'finalized'`,
    `not coalesce(${row}.absent, false)`,
    ...Object.entries(measurementBounds).map(
      ([name, highest]) => `coalesce(${row}.${columns[name as keyof typeof columns]}, 0) <= ${highest}`,
    ),
  ].join(" and ");

/** SQL: the row is such a result, but a value is above its bound. */
export const isSetAside = (row: string) =>
  `${row}.status = 'finalized' and not coalesce(${row}.absent, false) and not (${isGood(row)})`;
