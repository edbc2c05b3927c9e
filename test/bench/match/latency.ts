/** Latencies of decisions. */
export type Latency = {
  add(microseconds: number): void;
  /** Quantile of the latencies, µs. */
  at(share: number): number;
  readonly count: number;
  /** Sum of the latencies, µs. */
  readonly sum: number;
};

export function createLatency(): Latency {
  const times: number[] = [];
  let sum = 0;
  return {
    add(microseconds) {
      times.push(microseconds);
      sum += microseconds;
    },
    at(share) {
      const sorted = Float64Array.from(times).sort();
      const time = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
      return Math.round(time * 10) / 10;
    },
    get count() {
      return times.length;
    },
    get sum() {
      return sum;
    },
  };
}
