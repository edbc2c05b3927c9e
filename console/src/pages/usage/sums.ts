import type { ResultOf } from "@ngpu/api-client/routes";

type Usage = ResultOf<"GET /v1/usage">;
export type Entry = Usage["usage"][number];
export type By = Usage["by"];

export const groupings: readonly By[] = ["day", "hour", "workspace", "key"];

const hour = 3_600_000;
/** Milliseconds of a bar, and how many bars are drawn. */
const charts = { day: { step: 24 * hour, bars: 30 }, hour: { step: hour, bars: 72 } } as const;

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

/** A group as the table shows it: a day without its time, an hour without seconds. */
export function nameOf(group: string, by: By): string {
  if (by === "day") return group.slice(0, 10);
  return by === "hour" ? group.slice(0, 16).replace("T", " ") : group;
}

/** A bar for each of the last 30 days or 72 hours up to the newest one, oldest first: its share in the largest, 0 to 1. */
export function barsOf(
  entries: readonly Entry[],
  by: "day" | "hour",
): { group: string; share: number; cost: bigint }[] {
  const { step, bars } = charts[by];
  const costs = new Map(entries.map(({ group, cost }) => [Date.parse(group), BigInt(cost)]));
  const newest = Math.max(...costs.keys());
  const most = [...costs.values()].reduce((max, cost) => (cost > max ? cost : max), 0n);
  return Array.from({ length: bars }, (_one, index) => {
    const at = newest - (bars - 1 - index) * step;
    const cost = costs.get(at) ?? 0n;
    const share = most === 0n ? 0 : Number((cost * 10_000n) / most) / 10_000;
    return { group: nameOf(new Date(at).toISOString(), by), share, cost };
  });
}
