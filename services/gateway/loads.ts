import type { Replica } from "./decide.ts";

type Entry = { outstanding: number; lastUsed: number };

/** The load of each replica from this gateway. */
export type Loads = {
  of(replica: Replica): Entry;
  /** Counts a request until the returned function is called. */
  begin(replica: Replica): () => void;
  /** Removes all other replicas that have no request in progress. */
  retainOnly(replicas: Replica[]): void;
};

const unused: Entry = { outstanding: 0, lastUsed: 0 };
const nameOf = (replica: Replica) =>
  `${replica.workspaceId}/${replica.replica}/${replica.lease}/${replica.nodeId}`;

export function createLoads(): Loads {
  const entries = new Map<string, Entry>();
  let sequence = 0;
  return {
    of: (replica) => entries.get(nameOf(replica)) ?? unused,
    begin: (replica) => {
      const name = nameOf(replica);
      const entry = entries.get(name) ?? { outstanding: 0, lastUsed: 0 };
      sequence += 1;
      entry.outstanding += 1;
      entry.lastUsed = sequence;
      entries.set(name, entry);
      return () => {
        entry.outstanding -= 1;
      };
    },
    retainOnly: (replicas) => {
      const kept = new Set(replicas.map(nameOf));
      for (const [name, entry] of entries) {
        if (entry.outstanding === 0 && !kept.has(name)) entries.delete(name);
      }
    },
  };
}
