import type { Journal } from "./open.ts";

/** An image that was brought here ahead of demand, and is there to be used or to make room. */
export type Prefetched = { reference: string; sizeBytes: number; usedAt: number };

export function putPrefetched(journal: Journal, entry: Prefetched): void {
  journal.prepare("delete from prefetched_evicted where reference = ?").run(entry.reference);
  journal
    .prepare("insert or replace into prefetched (reference, size_bytes, used_at) values (?, ?, ?)")
    .run(entry.reference, entry.sizeBytes, entry.usedAt);
}

/** Notes that a lease uses these images now; others than prefetched ones are not kept. */
export function touchPrefetched(journal: Journal, references: Iterable<string>, at: number): void {
  const note = journal.prepare("update prefetched set used_at = ? where reference = ?");
  for (const reference of references) note.run(at, reference);
}

export function dropPrefetched(journal: Journal, reference: string): void {
  journal.prepare("delete from prefetched where reference = ?").run(reference);
}

/** Notes that an image was taken off again. The last hundred are kept: few enough to be said at once. */
export function recordEvicted(journal: Journal, reference: string): void {
  dropPrefetched(journal, reference);
  journal.prepare("insert or replace into prefetched_evicted (reference) values (?)").run(reference);
  journal.exec(
    "delete from prefetched_evicted where rowid <= (select max(rowid) - 100 from prefetched_evicted)",
  );
}

export function readEvicted(journal: Journal): string[] {
  return journal
    .prepare("select reference from prefetched_evicted order by rowid")
    .all()
    .map((row) => String(row.reference));
}

/** Least recently used first. */
export function readPrefetched(journal: Journal): Prefetched[] {
  return journal
    .prepare("select * from prefetched order by used_at, reference")
    .all()
    .map((row) => ({
      reference: String(row.reference),
      sizeBytes: Number(row.size_bytes),
      usedAt: Number(row.used_at),
    }));
}
