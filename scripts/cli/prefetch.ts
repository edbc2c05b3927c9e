import { type PrefetchReport, readReport } from "../../services/match/prefetch/store.ts";
import { createPool } from "../../services/shared/db/pool.ts";
import { databaseEnv, readEnv } from "../../services/shared/env.ts";

type Options = { databaseUrl?: string; json: boolean };

/** Prints what bringing images ahead of demand came to. */
export async function showPrefetch(options: Options): Promise<void> {
  const { DATABASE_URL: url } = readEnv(databaseEnv, {
    ...process.env,
    ...(options.databaseUrl === undefined ? {} : { DATABASE_URL: options.databaseUrl }),
  });
  const pool = createPool({ url, name: "cli", max: 1 });
  try {
    const report = await readReport(pool);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : inWords(report));
  } finally {
    await pool.end();
  }
}

function inWords({ hits, misses, asked, present, failed, evicted }: PrefetchReport): string {
  const all = hits + misses;
  const rate = all === 0 ? "no assignment yet" : `${Math.round((100 * hits) / all)}% of ${all} assignments`;
  return [
    `Hit rate: ${rate} (${hits} found their image prefetched, ${misses} had to bring it).`,
    `Images on nodes: ${present} there, ${asked} under way, ${failed} failed, ${evicted} taken off again.`,
    "",
  ].join("\n");
}
