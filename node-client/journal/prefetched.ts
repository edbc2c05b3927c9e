import type { Journal } from "./open.ts";

/** A prefetched image on the engine. `sizeBytes` is its unpacked size, `usedAt` is in milliseconds. */
export type Prefetched = { reference: string; sizeBytes: number; usedAt: number };

/** Stores an image as prefetched, and no longer as evicted. */
export function putPrefetched(journal: Journal, entry: Prefetched): void {
  journal.prepare("delete from prefetched_evicted where reference = ?").run(entry.reference);
  journal
    .prepare("insert or replace into prefetched (reference, size_bytes, used_at) values (?, ?, ?)")
    .run(entry.reference, entry.sizeBytes, entry.usedAt);
}

/** Records the use of these images. Images that were not prefetched are ignored. */
export function touchPrefetched(journal: Journal, references: Iterable<string>, at: number): void {
  const update = journal.prepare("update prefetched set used_at = ? where reference = ?");
  for (const reference of references) update.run(at, reference);
}

export function dropPrefetched(journal: Journal, reference: string): void {
  journal.prepare("delete from prefetched where reference = ?").run(reference);
}

/** Records an eviction. The last 100 are kept, which match accepts in one burst. */
export function recordEvicted(journal: Journal, reference: string): void {
  dropPrefetched(journal, reference);
  journal.prepare("insert or replace into prefetched_evicted (reference) values (?)").run(reference);
  journal.exec(
    "delete from prefetched_evicted where rowid <= (select max(rowid) - 100 from prefetched_evicted)",
  );
}

/** References of the evicted images, oldest eviction first. */
export function readEvicted(journal: Journal): string[] {
  return journal
    .prepare("select reference from prefetched_evicted order by rowid")
    .all()
    .map((row) => String(row.reference));
}

/** The prefetched images, least recently used first. */
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
