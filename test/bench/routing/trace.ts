import { readFileSync } from "node:fs";

/** One request: when it arrives, and the ids of its prompt's blocks. Prompts that begin alike have the same first ids. */
export type TracedRequest = { at: number; blocks: number[]; outputTokens: number };

export type TraceOptions = {
  seed: number;
  conversations: number;
  /** Questions of a conversation. */
  turns: number;
  /** Kinds of applications, whose conversations begin with the same blocks. */
  applications: number;
  systemBlocks: number;
  turnBlocks: number;
  outputTokens: number;
  perSecond: number;
};

/** A generator of numbers from 0 to 1 (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Conversations whose prompts grow by each question and its answer. Arrivals are a Poisson process; between two questions of a
 * conversation others arrive.
 */
export function generateTrace(options: TraceOptions): TracedRequest[] {
  const random = randomOf(options.seed);
  const { conversations, turns, applications, systemBlocks, turnBlocks } = options;
  let nextBlock = 0;
  const fresh = (count: number) => Array.from({ length: count }, () => nextBlock++);
  const between = (mean: number) => Math.max(1, Math.round(mean * (0.5 + random())));
  const systems = Array.from({ length: applications }, () => fresh(between(systemBlocks)));
  // A conversation ends after its turns, and another takes its place.
  const open = Array.from({ length: conversations }, () => ({ blocks: [] as number[], turn: 0 }));
  const requests: TracedRequest[] = [];
  let at = 0;
  for (let left = conversations * turns; left > 0; left--) {
    at += (-Math.log(1 - random()) * 1_000) / options.perSecond;
    const one = open[Math.floor(random() * open.length)] as (typeof open)[number];
    if (one.turn % turns === 0) one.blocks = [...(systems[Math.floor(random() * applications)] as number[])];
    one.turn += 1;
    one.blocks = [...one.blocks, ...fresh(between(turnBlocks))];
    requests.push({ at, blocks: one.blocks, outputTokens: between(options.outputTokens) });
  }
  return requests;
}

/** Reads a trace: one JSON object on each line, with `at` in milliseconds, `blocks` and `outputTokens`. */
export function readTrace(file: string): TracedRequest[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as TracedRequest);
}
