import type { Journal } from "./open.ts";

/** An image that was pulled for a lease. `usedAt` is when a lease last had it, in milliseconds. */
export type Pulled = { reference: string; usedAt: number };

/** Records that an image was pulled for a lease, so that it may be evicted when no lease has it. */
export function putPulled(journal: Journal, { reference, usedAt }: Pulled): void {
  journal.prepare("insert or replace into pulled (reference, used_at) values (?, ?)").run(reference, usedAt);
}

/** Records that leases have these images. Those that were not pulled for a lease are ignored. */
export function touchPulled(journal: Journal, references: Iterable<string>, at: number): void {
  const update = journal.prepare("update pulled set used_at = ? where reference = ?");
  for (const reference of references) update.run(at, reference);
}

export function dropPulled(journal: Journal, reference: string): void {
  journal.prepare("delete from pulled where reference = ?").run(reference);
}

/** Images that were pulled for leases, least recently used first. */
export function readPulled(journal: Journal): Pulled[] {
  return journal
    .prepare("select reference, used_at from pulled order by used_at, reference")
    .all()
    .map((row) => ({ reference: String(row.reference), usedAt: Number(row.used_at) }));
}
