/**
 * The highest values that a measurement may have; docs/contracts/Measure.md explains them. The contract stores 32 bits of each, so a
 * measurer can sign more. Such a measurement is set aside: it counts as if the round had failed.
 */
export const measurementBounds = {
  /** 1 Tbit/s, above the fastest network ports. */
  downMbps: 1_000_000,
  upMbps: 1_000_000,
  /** A minute, the longest measurement. */
  latencyTenthMs: 600_000,
  /** 1 PiB. A node declares at most 65,535 GiB. */
  diskFreeGib: 2 ** 20,
  /** 256 GiB/s. */
  diskWriteMibps: 2 ** 18,
} as const;

type Bounded = Record<keyof typeof measurementBounds, number>;

/** The first value above its bound, with both; undefined for a plausible measurement. */
export function implausiblePart(
  measured: Bounded,
): { name: keyof Bounded; value: number; highest: number } | undefined {
  for (const [name, highest] of Object.entries(measurementBounds) as [keyof Bounded, number][]) {
    if (!(measured[name] <= highest)) return { name, value: measured[name], highest };
  }
  return undefined;
}
