import { type PrefetchReport, readReport } from "@ngpu/queries/prefetch";
import { withDatabase } from "./database.ts";

type Options = { databaseUrl?: string; json: boolean };

/** Prints the hit rate of image prefetching. */
export async function showPrefetch(options: Options): Promise<void> {
  await withDatabase(options.databaseUrl, async (pool) => {
    const report = await readReport(pool);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : formatText(report));
  });
}

function formatText({ hits, misses, requested, present, held, failed, evicted }: PrefetchReport): string {
  const all = hits + misses;
  const rate = all === 0 ? "no assignment yet" : `${Math.round((100 * hits) / all)}% of ${all} assignments`;
  return [
    `Hit rate: ${rate} (${hits} found their image prefetched, ${misses} had to pull it).`,
    `Images on nodes: ${present} prefetched, ${held} already present, ${requested} in progress, ${failed} failed, ${evicted} evicted.`,
    "",
  ].join("\n");
}
