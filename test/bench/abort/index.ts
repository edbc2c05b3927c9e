import { parseArgs } from "node:util";
import { abortMany, percentile } from "../../services/bytes/aborts.ts";
import { openByteMarket } from "../../services/bytes/market.ts";
import { stopParts } from "../../support/parts.ts";

/**
 * Clients of a streamed chat leave at random moments. Prints how many of their leavings reached the container, and the time from
 * the closed connection of the client to that of the container.
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
  const market = await openByteMarket();
  try {
    const [count, concurrency, seed] = [values.aborts, values.concurrency, values.seed].map(Number) as [
      number,
      number,
      number,
    ];
    process.stderr.write(`seed ${seed}\n`);
    const aborts = await abortMany(market, { count, concurrency, seed });
    const times = aborts.filter((one) => one.arrived).map((one) => one.ms);
    const { rows } = await market.api.db.query<{ count: string }>(
      "select count(*) from app.task where kind = 'chat' and status <> 'aborted'",
    );
    const result = {
      aborts: count,
      reached: aborts.filter((one) => one.reached).length,
      /** Requests that had arrived at the container when their client left, or arrived after it. */
      arrived: times.length,
      otherwiseRecorded: Number(rows[0]?.count),
      p50Ms: Number(percentile(times, 0.5).toFixed(1)),
      p99Ms: Number(percentile(times, 0.99).toFixed(1)),
      mostMs: Number(percentile(times, 1).toFixed(1)),
    };
    process.stdout.write(`${JSON.stringify(result, null, values.json ? 0 : 2)}\n`);
  } finally {
    await market.stop();
    await stopParts();
  }
}
