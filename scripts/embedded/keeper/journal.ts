import { appendFileSync, createReadStream, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";

/** A call that changed the chain: its method and its parameters. */
export type Entry = [method: string, params: unknown[]];

/** All changes of the embedded chain, in order. Replaying them restores its state. */
export type Journal = {
  /** Returns after the entry is written, so that the entry precedes its effect. */
  append(entry: Entry): void;
  /** All entries, the oldest first. */
  read(): AsyncIterable<Entry>;
};

/** Creates an empty journal in a file that only this user may read. */
export function createJournal(file: string): Journal {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "", { mode: 0o600 });
  return {
    append: (entry) => appendFileSync(file, `${JSON.stringify(entry)}\n`),
    async *read() {
      for await (const line of createInterface({ input: createReadStream(file) })) {
        yield JSON.parse(line) as Entry;
      }
    },
  };
}
