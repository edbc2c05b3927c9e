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

/** Whether a result says of the node what the others do: the same absence, and the same ports. */
function agrees({ result, median }: MeasurerResult): boolean {
  if (result === null || median === null) return result === median;
  return result.portsReachable === median.portsReachable;
}

/** Whether a result is near what the others saw: it agrees, and its rates are within a factor of two. Latency depends on the place. */
export function isNear(one: MeasurerResult): boolean {
  const { result, median } = one;
  if (result === null || median === null || !agrees(one)) return agrees(one);
  const similar = (a: bigint, b: bigint) => a <= 2n * b + 1n && b <= 2n * a + 1n;
  return (
    similar(result.downMbps, median.downMbps) &&
    similar(result.upMbps, median.upMbps) &&
    similar(result.diskWriteMibps, median.diskWriteMibps)
  );
}

/**
 * Shares the measurers' part M = E · μ ÷ 10⁴. A measurer with k results near the others' gets min(M · k ÷ Σk, q · k), whatever they
 * say. One that does not agree loses it the epoch's pay. One whose rates alone differ is not paid, and loses it nothing else: its own
 * line may be slower or faster than the others', and the node's busy with a tenant while it measures.
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
    if (!agrees(one)) known.outliers += 1;
    counts.set(one.measurerId, known);
  }
  const paid = [...counts]
    .filter(([, own]) => own.outliers === 0 && own.results > 0)
    .sort(([a], [b]) => a - b);
  const sum = paid.reduce((total, [, one]) => total + BigInt(one.results), 0n);
  const part = (emission * BigInt(terms.measurerBasisPoints)) / 10_000n;
  return paid.map(([measurerId, { account, results: count }]) => {
    const own = BigInt(count);
    const [share, most] = [(part * own) / sum, terms.measurerRate * own];
    return { measurerId, account, results: count, amount: share < most ? share : most };
  });
}
