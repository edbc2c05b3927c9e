import { type PrefetchReport, readReport } from "@ngpu/queries/prefetch";
import { withDatabase } from "./database.ts";

type Options = { databaseUrl?: string; json: boolean };

/** Prints what bringing images ahead of demand came to. */
export async function showPrefetch(options: Options): Promise<void> {
  await withDatabase(options.databaseUrl, async (pool) => {
    const report = await readReport(pool);
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : inWords(report));
  });
}

function inWords({ hits, misses, asked, present, held, failed, evicted }: PrefetchReport): string {
  const all = hits + misses;
  const rate = all === 0 ? "no assignment yet" : `${Math.round((100 * hits) / all)}% of ${all} assignments`;
  return [
    `Hit rate: ${rate} (${hits} found their image prefetched, ${misses} had to bring it).`,
    `Images on nodes: ${present} brought, ${held} that were there already, ${asked} under way, ${failed} failed, ${evicted} taken off again.`,
    "",
  ].join("\n");
}
