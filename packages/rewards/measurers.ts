import type { RewardTerms } from "./terms.ts";

/** A result of a measurer in a round that was finalized, with the round's median. Null: the node did not respond. */
export type MeasurerResult = {
  measurerId: number;
  account: string;
  result: MeasuredValues | null;
  median: MeasuredValues | null;
};

export type MeasuredValues = {
  downMbps: bigint;
  upMbps: bigint;
  portsReachable: bigint;
  diskWriteMibps: bigint;
};

export type MeasurerShare = { measurerId: number; account: string; results: number; amount: bigint };

/** Whether a result is near what the others saw: the same ports, and rates within a factor of two. Latency depends on the place. */
export function isNear({ result, median }: MeasurerResult): boolean {
  if (result === null || median === null) return result === median;
  const similar = (a: bigint, b: bigint) => a <= 2n * b + 1n && b <= 2n * a + 1n;
  return (
    result.portsReachable === median.portsReachable &&
    similar(result.downMbps, median.downMbps) &&
    similar(result.upMbps, median.upMbps) &&
    similar(result.diskWriteMibps, median.diskWriteMibps)
  );
}

/**
 * Shares the measurers' part M = E · μ ÷ 10⁴. A measurer with k results gets min(M · k ÷ Σk, q · k), whatever its results
 * say. One outlier loses it the epoch's pay.
 */
export function shareMeasurers(
  results: readonly MeasurerResult[],
  emission: bigint,
  terms: RewardTerms,
): MeasurerShare[] {
  const counts = new Map<number, { account: string; results: number; outliers: number }>();
  for (const one of results) {
    const known = counts.get(one.measurerId) ?? { account: one.account, results: 0, outliers: 0 };
    if (isNear(one)) known.results += 1;
    else known.outliers += 1;
    counts.set(one.measurerId, known);
  }
  const paid = [...counts].filter(([, { outliers }]) => outliers === 0).sort(([a], [b]) => a - b);
  const sum = paid.reduce((total, [, one]) => total + BigInt(one.results), 0n);
  const part = (emission * BigInt(terms.measurerBasisPoints)) / 10_000n;
  return paid.map(([measurerId, { account, results: count }]) => {
    const own = BigInt(count);
    const [share, most] = [(part * own) / sum, terms.measurerRate * own];
    return { measurerId, account, results: count, amount: share < most ? share : most };
  });
}
