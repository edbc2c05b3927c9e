import { type Journal, readFact, writeFact } from "./journal/open.ts";

/** When the node last received a block or a message of match, in milliseconds. The grace of exclusive leases counts from it. */
export type LastContact = { last(): number; note(): void };

/** Least time between two writes to the journal, in milliseconds. */
const writeInterval = 2_000;

/** Restores the time from the journal: a client that was down for longer than the grace period must detect it. */
export function createLastContact(journal: Journal): LastContact {
  let last = Number(readFact(journal, "last_contact") ?? 0);
  let written = last;
  return {
    last: () => last,
    note: () => {
      last = Date.now();
      if (last - written < writeInterval) return;
      written = last;
      writeFact(journal, "last_contact", String(last));
    },
  };
}
