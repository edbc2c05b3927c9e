import type { Queryable } from "@ngpu/db/pool";

/** Assignments with a prefetched image (`hits`) and without it (`misses`), and the number of images in each state. */
export type PrefetchReport = Record<
  "hits" | "misses" | "requested" | "present" | "held" | "failed" | "evicted",
  number
>;

/** Totals of prefetching since it was first enabled. */
export async function readReport(db: Queryable): Promise<PrefetchReport> {
  const { rows } = await db.query<PrefetchReport>(
    `select coalesce(max(hits), 0)::int as hits, coalesce(max(misses), 0)::int as misses, p.*
     from app.prefetch_tally right join (
       select count(*) filter (where status = 'requested')::int as requested, count(*) filter (where status = 'present')::int as present,
         count(*) filter (where status = 'held')::int as held,
         count(*) filter (where status = 'failed')::int as failed, count(*) filter (where status = 'evicted')::int as evicted
       from app.prefetch) as p on true
     group by p.requested, p.present, p.held, p.failed, p.evicted`,
  );
  return rows[0] ?? { hits: 0, misses: 0, requested: 0, present: 0, held: 0, failed: 0, evicted: 0 };
}
