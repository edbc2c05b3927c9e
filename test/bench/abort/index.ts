import { parseArgs } from "node:util";
import { abortMany, percentile } from "../../services/bytes/aborts.ts";
import { type ByteMarket, openByteMarket } from "../../services/bytes/market.ts";
import { stopParts } from "../../support/parts.ts";
import { openFloor } from "./floor.ts";

/**
 * Clients of a streamed chat leave at random moments. Prints how many of their leavings reached the container, and the time from
 * the closed connection of the client to that of the container. `floor` is the same through processes that only copy bytes.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      aborts: { type: "string", default: "10000" },
      concurrency: { type: "string", default: "8" },
      seed: { type: "string", default: "20261" },
    },
  });
  const [count, concurrency, seed] = [values.aborts, values.concurrency, values.seed].map(Number) as [
    number,
    number,
    number,
  ];
  const market = await openByteMarket({ isApart: true });
  try {
    process.stderr.write(`seed ${seed}\n`);
    const result = await measure(market, { count, concurrency, seed });
    process.stdout.write(`${JSON.stringify(result, null, values.json ? 0 : 2)}\n`);
  } finally {
    await market.stop();
    await stopParts();
  }
}

async function measure(market: ByteMarket, options: { count: number; concurrency: number; seed: number }) {
  const measuring = new AbortController();
  const floor = measureFloor(measuring.signal);
  const aborts = await abortMany(market, options);
  measuring.abort();
  const times = aborts.filter((one) => one.arrived).map((one) => one.ms);
  const { rows } = await market.api.db.query<{ count: string }>(
    "select count(*) from app.task where kind = 'chat' and status <> 'aborted'",
  );
  return {
    aborts: options.count,
    reached: aborts.filter((one) => one.reached).length,
    /** Requests that had arrived at the container when their client left, or arrived after it. */
    arrived: times.length,
    otherwiseRecorded: Number(rows[0]?.count),
    ...spreadOf(times),
    floor: spreadOf(await floor),
  };
}

/** Aborts one connection after the other until the signal is aborted. */
async function measureFloor(signal: AbortSignal): Promise<number[]> {
  const floor = await openFloor();
  const times: number[] = [];
  try {
    while (!signal.aborted) times.push(await floor.abortOnce(20));
    return times;
  } finally {
    await floor.stop();
  }
}

function spreadOf(times: readonly number[]) {
  const of = (share: number) => Number(percentile(times, share).toFixed(1));
  return { p50Ms: of(0.5), p99Ms: of(0.99), mostMs: of(1) };
}
