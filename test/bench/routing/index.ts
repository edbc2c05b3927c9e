import { wholeNumber } from "@ngpu/runtime/wholeNumber";
import { Command } from "commander";
import { createRouter } from "../../../services/gateway/routing/router.ts";
import { type BenchRouter, type Engine, simulate } from "./simulate.ts";
import { generateTrace, readTrace, type TracedRequest } from "./trace.ts";

/* How often replicas of a workspace find the beginning of a prompt in their caches (docs/benchmarks.md). */

type Options = { json?: true; trace?: string; seed: number; replicas: number };

const engine = { cacheBlocks: 20_000, prefillMs: 1, decodeMs: 8 };
const traced = {
  conversations: 1_600,
  turns: 20,
  applications: 40,
  systemBlocks: 4,
  turnBlocks: 12,
  outputTokens: 60,
  perSecond: 60,
};

export async function run(args: string[]): Promise<void> {
  const { json, trace, seed, replicas } = new Command("npm run bench -- routing")
    .option("--json", "the result as JSON")
    .option("--trace <file>", "requests, one JSON object a line: at (ms), blocks (ids), outputTokens")
    .option("--seed <number>", "seed of the generated requests", wholeNumber(1), 20_261)
    .option("--replicas <count>", "replicas", wholeNumber(1), 8)
    .parse(args, { from: "user" })
    .opts<Options>();
  const requests = trace === undefined ? generateTrace({ ...traced, seed }) : readTrace(trace);
  const given = trace ?? `seed ${seed}, ${JSON.stringify(traced)}`;
  process.stderr.write(
    `${requests.length} requests of ${given}; ${replicas} replicas, ${JSON.stringify(engine)}\n`,
  );
  const routers = { ngpu: ownRouter(replicas), "least-busy": leastBusy(), oracle: oracle() };
  const rows = Object.entries(routers).map(([router, choose]) => ({
    router,
    ...simulate(requests, { ...engine, replicas }, choose),
  }));
  process.stdout.write(json ? `${JSON.stringify({ rows })}\n` : table(rows));
}

/** The gateway's router, which sees no cache. A block stands for 64 bytes of a prompt. */
function ownRouter(replicas: number): BenchRouter {
  const clock = { now: 0 };
  const router = createRouter<number>({
    nameOf: String,
    now: () => clock.now,
    remembered: engine.cacheBlocks,
  });
  const ends = Array.from({ length: replicas }, (): ((end: "answered") => void)[] => []);
  const indexes = ends.map((_ends, index) => index);
  return {
    choose: ({ blocks }, _engines, now) => {
      clock.now = now;
      const asked = { prefixes: blocks, session: undefined };
      const [best = 0] = router.rank(indexes, asked);
      ends[best]?.push(router.begin(best, asked));
      return best;
    },
    end: (index, now) => {
      clock.now = now;
      ends[index]?.shift()?.("answered");
    },
  };
}

/** The one with the fewest requests in progress, and of equals the least recently used. */
function leastBusy(): BenchRouter {
  const used: number[] = [];
  let sequence = 0;
  return {
    choose: (_request, engines) => {
      const best = bestOf(engines, (one, index) => one.outstanding * 1e9 + (used[index] ?? 0));
      used[best] = ++sequence;
      return best;
    },
  };
}

/** It sees the caches themselves: the longest match, as long as the load is not above a bound of the average. */
function oracle(): BenchRouter {
  return {
    choose: ({ blocks }: TracedRequest, engines) => {
      const all = engines.reduce((sum, { outstanding }) => sum + outstanding, 0);
      const bound = Math.ceil((1.25 * (all + 1)) / engines.length) + 1;
      return bestOf(engines, (one) => {
        const isFree = one.outstanding < bound;
        return (isFree ? 0 : 1e9) - 1e4 * (isFree ? one.matched(blocks) : 0) + one.outstanding;
      });
    },
  };
}

function bestOf(engines: readonly Engine[], costOf: (engine: Engine, index: number) => number): number {
  const costs = engines.map(costOf);
  return costs.indexOf(Math.min(...costs));
}

const table = (rows: { router: string; hitRate: number; p50Ms: number; p99Ms: number }[]) =>
  `${["router       hit rate  p50 ms  p99 ms", ...rows.map(lineOf)].join("\n")}\n`;

const lineOf = (row: { router: string; hitRate: number; p50Ms: number; p99Ms: number }) =>
  row.router.padEnd(13) +
  String(row.hitRate).padStart(8) +
  String(row.p50Ms).padStart(8) +
  String(row.p99Ms).padStart(8);
