import { stateWords } from "../segments.ts";
import { type Kind, segmentsPerLeg, windowOf } from "../terms.ts";
import type { Handle } from "./library.ts";
import type { FilledMemory } from "./memory.ts";
import type { Argument, Program } from "./program.ts";

/** Lanes on the device: their states, the hashes of their current legs, and which lane is the first. */
export type Lanes = { count: number; first: number; states: Handle; chains: Handle };

/** What a part needs besides its lanes. Only a chase has a memory. */
export type Part = { kind: Kind; key: Handle; memory?: FilledMemory | undefined };

/** Lanes with these states, word-major. */
export function makeLanes(program: Program, first: number, states: Uint32Array): Lanes {
  const count = states.length / stateWords;
  const lanes = { count, first, states: program.buffer(64 * count), chains: program.buffer(32 * count) };
  program.write(lanes.states, states);
  return lanes;
}

export function releaseLanes(program: Program, { states, chains }: Lanes): void {
  program.release(states);
  program.release(chains);
}

/** Takes all lanes through one segment. */
export function runSegment(program: Program, part: Part, lanes: Lanes, leg: number, segment: number): void {
  const common: Argument[] = [
    { buffer: lanes.states },
    { buffer: lanes.chains },
    lanes.count,
    { buffer: part.key },
    lanes.first,
    leg,
    segment,
  ];
  const items = lanes.count / program.lanes;
  if (part.memory === undefined) {
    program.run("work", items, common);
    return;
  }
  const { layout, chunks } = part.memory;
  const first = 4 * windowOf(layout, leg, segment);
  const window = chunks.slice(first, first + 4).map((buffer) => ({ buffer }));
  program.run("chase", items, [...window, 16 * layout.chunkPages, ...common]);
}

/** Takes all lanes through a leg, and writes the leaf of each. */
export function runLeg(program: Program, part: Part, lanes: Lanes, leg: number, leaves: Handle): void {
  for (let segment = 0; segment < segmentsPerLeg; segment++) runSegment(program, part, lanes, leg, segment);
  program.run("leaf", lanes.count / program.lanes, [
    { buffer: lanes.states },
    { buffer: lanes.chains },
    lanes.count,
    { buffer: leaves },
  ]);
}

/** Two buffers that hold the levels of a tree in turn. */
export type Scratch = readonly [Handle, Handle];

export function makeScratch(program: Program, leaves: number): Scratch {
  return [program.buffer(16 * leaves), program.buffer(16 * leaves)];
}

/** One level of hashes after another over the leaves on the device, from below. `visit` sees each but the root. */
export function climb(
  program: Program,
  given: { leaves: Handle; count: number; scratch: Scratch; visit?: (level: Handle, count: number) => void },
): Uint8Array {
  let below = given.leaves;
  let height = 0;
  for (let count = given.count; count > 1; count /= 2) {
    given.visit?.(below, count);
    const above = given.scratch[height++ % 2] as Handle;
    program.run("level", count / 2, [{ buffer: below }, { buffer: above }]);
    below = above;
  }
  const root = new Uint8Array(32);
  program.read(below, root);
  return root;
}
