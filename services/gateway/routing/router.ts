import { answered, type Experience, failed, healthOf, noExperience } from "./health.ts";
import { mixed, type Prefixes } from "./prefix.ts";
import { createPrefixMemory } from "./prefixMemory.ts";
import { rankCandidates } from "./rank.ts";

/** Blocks that are remembered of a replica, at most: a prompt of 64 bytes a block. */
const rememberedBlocks = 16_384;

/** What a request says about itself. */
export type Asked = { prefixes: Prefixes; session: number | undefined };

export type Router<Replica> = {
  /** The replicas from the best one on. */
  rank(replicas: readonly Replica[], asked: Asked): Replica[];
  /** The load of a replica from this gateway. */
  loadOf(replica: Replica): { outstanding: number; lastUsed: number };
  /** Counts a request to a replica until its end is reported. */
  begin(replica: Replica, asked: Asked): (end: "answered" | "failed" | "unknown") => void;
  /** Forgets all other replicas that have no request in progress. */
  retainOnly(replicas: readonly Replica[]): void;
};

type Entry = { outstanding: number; lastUsed: number; experience: Experience };

/** Ranks replicas by what this gateway knows of them: their loads, latencies, failures, and the prompts that they were sent. */
export function createRouter<Replica>(options: {
  nameOf: (replica: Replica) => string;
  isNear?: (replica: Replica) => boolean;
  now?: () => number;
  remembered?: number;
}): Router<Replica> {
  const { nameOf, isNear = () => true, now = () => performance.now() } = options;
  const entries = new Map<string, Entry>();
  const memory = createPrefixMemory<string>(options.remembered ?? rememberedBlocks);
  let sequence = 0;
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name) ?? { outstanding: 0, lastUsed: 0, experience: noExperience };
    entries.set(name, entry);
    return entry;
  };
  return {
    loadOf: (replica) => entries.get(nameOf(replica)) ?? { outstanding: 0, lastUsed: 0 },
    rank: (replicas, { prefixes, session }) => {
      const at = now();
      const candidates = replicas.map((replica) => {
        const name = nameOf(replica);
        const { outstanding, lastUsed, experience } = entryOf(name);
        return {
          key: replica,
          identity: hashOf(name),
          outstanding,
          lastUsed,
          isNear: isNear(replica),
          latency: experience.latency,
          health: healthOf(experience, at),
          matched: memory.matched(name, prefixes),
          remembered: memory.size(name),
        };
      });
      return rankCandidates(candidates, { blocks: prefixes.length, session });
    },
    begin: (replica, { prefixes }) => {
      const name = nameOf(replica);
      const entry = entryOf(name);
      const began = now();
      entry.outstanding += 1;
      entry.lastUsed = ++sequence;
      if (prefixes.length > 0) memory.add(name, prefixes);
      return (end) => {
        entry.outstanding -= 1;
        if (end === "answered") entry.experience = answered(entry.experience, now() - began);
        else if (end === "failed") entry.experience = failed(entry.experience, now());
      };
    },
    retainOnly: (replicas) => {
      const kept = new Set(replicas.map(nameOf));
      for (const [name, { outstanding }] of entries) {
        if (outstanding === 0 && !kept.has(name)) entries.delete(name);
      }
      memory.retainOnly(new Set(entries.keys()));
    },
  };
}

/** A hash of a text, the same at each gateway. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return mixed(hash);
}
