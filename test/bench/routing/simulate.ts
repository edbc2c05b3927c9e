import type { TracedRequest } from "./trace.ts";

/** What the benchmark assumes of an inference engine. */
export type EngineOptions = {
  /** Blocks that its cache holds; the least recently used are dropped. */
  cacheBlocks: number;
  /** Milliseconds to compute a block that the cache lacks. One prompt is computed at a time. */
  prefillMs: number;
  /** Milliseconds for a token. Requests are decoded together. */
  decodeMs: number;
};

export type Engine = {
  /** Whether a request waits or runs. */
  outstanding: number;
  matched(blocks: readonly number[]): number;
  /** Serves a request. @returns when it ends, and the blocks that its cache had. */
  serve(request: TracedRequest): { endsAt: number; hits: number };
};

export function createEngine({ cacheBlocks, prefillMs, decodeMs }: EngineOptions): Engine {
  const cache = new Set<number>();
  let prefillFreeAt = 0;
  const matched = (blocks: readonly number[]) => {
    const missing = blocks.findIndex((block) => !cache.has(block));
    return missing === -1 ? blocks.length : missing;
  };
  const engine: Engine = {
    outstanding: 0,
    matched,
    serve: ({ at, blocks, outputTokens }) => {
      const hits = matched(blocks);
      for (const block of blocks.toReversed()) {
        cache.delete(block);
        cache.add(block);
      }
      for (const oldest of cache) {
        if (cache.size <= cacheBlocks) break;
        cache.delete(oldest);
      }
      prefillFreeAt = Math.max(prefillFreeAt, at) + (blocks.length - hits) * prefillMs;
      return { endsAt: prefillFreeAt + outputTokens * decodeMs, hits };
    },
  };
  return engine;
}

/** Chooses an engine for a request. `end` is called when the request has ended. */
export type BenchRouter = {
  choose(request: TracedRequest, engines: readonly Engine[], now: number): number;
  end?(index: number, now: number): void;
};

/** Runs a trace. @returns the share of blocks that caches had, and the 99th percentile of the requests' durations. */
export function simulate(
  trace: readonly TracedRequest[],
  { replicas, ...options }: EngineOptions & { replicas: number },
  router: BenchRouter,
): { hitRate: number; p50Ms: number; p99Ms: number } {
  const engines = Array.from({ length: replicas }, () => createEngine(options));
  let running: { endsAt: number; index: number }[] = [];
  const durations: number[] = [];
  let hits = 0;
  let blocks = 0;
  for (const request of trace) {
    const ended = running.filter(({ endsAt }) => endsAt <= request.at).sort((a, b) => a.endsAt - b.endsAt);
    running = running.filter(({ endsAt }) => endsAt > request.at);
    for (const { index, endsAt } of ended) {
      (engines[index] as Engine).outstanding -= 1;
      router.end?.(index, endsAt);
    }
    const index = router.choose(request, engines, request.at);
    const engine = engines[index] as Engine;
    const served = engine.serve(request);
    engine.outstanding += 1;
    running.push({ endsAt: served.endsAt, index });
    durations.push(served.endsAt - request.at);
    hits += served.hits;
    blocks += request.blocks.length;
  }
  durations.sort((a, b) => a - b);
  const at = (share: number) => Math.round(durations[Math.floor(durations.length * share)] ?? 0);
  return { hitRate: Math.round((1_000 * hits) / blocks) / 1_000, p50Ms: at(0.5), p99Ms: at(0.99) };
}
