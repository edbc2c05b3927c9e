import { type Journal, readFact, writeFact } from "./journal/open.ts";

/** When the chain moved on, or match answered, last: what an exclusive lease's grace counts from. */
export type LastContact = { last(): number; note(): void };

const writeEvery = 2_000;

/** Kept over restarts, so that a client that was away longer than the grace knows it. */
export function createLastContact(journal: Journal): LastContact {
  let last = Number(readFact(journal, "last_contact") ?? 0);
  let written = last;
  return {
    last: () => last,
    note: () => {
      last = Date.now();
      if (last - written < writeEvery) return;
      written = last;
      writeFact(journal, "last_contact", String(last));
    },
  };
}
