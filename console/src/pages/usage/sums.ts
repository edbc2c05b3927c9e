import type { ResultOf } from "@ngpu/api-client/routes";

type Usage = ResultOf<"GET /v1/usage">;
export type Entry = Usage["usage"][number];
export type By = Usage["by"];

export const groupings: readonly By[] = ["day", "hour", "workspace", "key"];

/** The sums over all groups; the cost in token units. */
export function total(entries: readonly Entry[]): { tasks: number; failed: number; cost: bigint } {
  const sum = { tasks: 0, failed: 0, cost: 0n };
  for (const { tasks, failed, cost } of entries) {
    sum.tasks += tasks;
    sum.failed += failed;
    sum.cost += BigInt(cost);
  }
  return sum;
}

/** The share of each group's cost in the largest one, 0 to 1, oldest first. */
export function heights(entries: readonly Entry[]): { group: string; share: number; cost: bigint }[] {
  const ordered = entries.toSorted((a, b) => (a.group < b.group ? -1 : 1));
  const most = ordered.reduce((max, { cost }) => (BigInt(cost) > max ? BigInt(cost) : max), 0n);
  return ordered.map(({ group, cost }) => ({
    group,
    share: most === 0n ? 0 : Number((BigInt(cost) * 10_000n) / most) / 10_000,
    cost: BigInt(cost),
  }));
}
