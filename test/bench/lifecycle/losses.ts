import { rest } from "@ngpu/runtime/loop";
import type { BenchMarket } from "./market.ts";

const deadlineMs = 60_000;

/** Counts, in match's metrics, the nodes that it declared lost. */
export async function watchLosses({ api, signal }: BenchMarket): Promise<{
  /** Waits until the count increases from its first value. Returns the time, in seconds of `performance.now()`. */
  next: () => Promise<number>;
}> {
  const { matchUrls } = await api.get<{ matchUrls: string[] }>("/v1/network");
  const urls = matchUrls.map((url) => {
    const metrics = new URL("/metrics", url);
    metrics.protocol = metrics.protocol === "wss:" ? "https:" : "http:";
    return metrics;
  });
  const count = async () => {
    const texts = await Promise.all(urls.map(async (url) => (await fetch(url, { signal })).text()));
    const counts = texts.flatMap((text) => [
      ...text.matchAll(/^ngpu_match_loss_detection_seconds_count\{.*\} (\d+)$/gm),
    ]);
    return counts.reduce((sum, [, value]) => sum + Number(value), 0);
  };
  const before = await count();
  return {
    next: async () => {
      const end = Date.now() + deadlineMs;
      while ((await count()) === before) {
        if (Date.now() > end) throw new Error(`Match detected no loss within ${deadlineMs / 1_000} s.`);
        await rest(50, signal);
        signal.throwIfAborted();
      }
      return performance.now() / 1_000;
    },
  };
}
