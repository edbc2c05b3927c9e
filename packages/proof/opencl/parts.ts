import { bytesToHex } from "viem";
import type { Committed } from "../record.ts";
import { type Position, stateWords } from "../segments.ts";
import { segmentsPerLeg } from "../terms.ts";
import type { OpenedLeg } from "../transcript.ts";
import { chainOf, pathOf, rootOf } from "../tree.ts";
import {
  climb,
  type Lanes,
  makeLanes,
  makeScratch,
  type Part,
  releaseLanes,
  runLeg,
  runSegment,
  type Scratch,
} from "./legs.ts";
import type { Handle } from "./library.ts";
import type { Program } from "./program.ts";

/** A finished part, with what its audit will need: the states and leaves of each leg. */
export type RunPart = { part: Part; lanes: number; legs: RanLeg[] };
type Tree = { leaves: Handle; scratch: Scratch };
type RanLeg = { before: Uint32Array; leaves: Uint8Array; root: Uint8Array };

/** When a part ends: after a time, or after a number of legs if that comes first. */
export type Until = { milliseconds: number; legs: number };

/** Runs leg after leg until no further one fits into the time. The first one always runs. */
export function runPart(program: Program, part: Part, count: number, until: Until): RunPart {
  const lanes = makeLanes(program, 0, new Uint32Array(stateWords * count));
  const tree: Tree = { leaves: program.buffer(32 * count), scratch: makeScratch(program, count) };
  const legs: RanLeg[] = [];
  const began = performance.now();
  let longest = 0;
  const fits = () => performance.now() - began + longest <= until.milliseconds;
  while (legs.length === 0 || (legs.length < until.legs && fits())) {
    const legBegan = performance.now();
    legs.push(ranLeg(program, part, lanes, legs.length, tree));
    longest = Math.max(longest, performance.now() - legBegan);
  }
  releaseLanes(program, lanes);
  releaseTree(program, tree);
  return { part, lanes: count, legs };
}

function ranLeg(program: Program, part: Part, lanes: Lanes, leg: number, tree: Tree): RanLeg {
  const { leaves } = tree;
  const before = new Uint32Array(stateWords * lanes.count);
  program.read(lanes.states, before);
  runLeg(program, part, lanes, leg, leaves);
  const read = new Uint8Array(32 * lanes.count);
  program.read(leaves, read);
  return { before, leaves: read, root: climb(program, { ...tree, count: lanes.count }) };
}

function releaseTree(program: Program, { leaves, scratch }: Tree): void {
  for (const buffer of [leaves, ...scratch]) program.release(buffer);
}

export function committedOf({ lanes, legs }: RunPart): Committed {
  return { lanes, legs: legs.length, root: bytesToHex(rootOf(legs.map(({ root }) => root))) };
}

/** Runs a drawn leg again from its kept states, and collects what proves it. */
export function openLeg(program: Program, run: RunPart, { leg, lane }: Position): OpenedLeg {
  const states = statesOf(program, run, leg, lane);
  const opened = { states, path: pathTo(program, run, leg, lane) };
  if (leg === 0) return opened;
  const before = statesOf(program, run, leg - 1, lane);
  return {
    ...opened,
    before: { chain: chainOf(before.slice(0, -1)), path: pathTo(program, run, leg - 1, lane) },
  };
}

/** The states of a lane before each segment of a leg, and after the last. Its neighbours of a work-item run, too. */
function statesOf(program: Program, run: RunPart, leg: number, lane: number): Int32Array[] {
  const first = lane - (lane % program.lanes);
  const { before } = run.legs[leg] as RanLeg;
  const group = Uint32Array.from({ length: stateWords * program.lanes }, (_, at) => {
    const word = Math.floor(at / program.lanes);
    return before[word * run.lanes + first + (at % program.lanes)] as number;
  });
  const lanes = makeLanes(program, first, group);
  const own = (words: Uint32Array) =>
    Int32Array.from(
      { length: stateWords },
      (_, word) => (words[word * program.lanes + lane - first] as number) | 0,
    );
  const states = [own(group)];
  for (let segment = 0; segment < segmentsPerLeg; segment++) {
    runSegment(program, run.part, lanes, leg, segment);
    program.read(lanes.states, group);
    states.push(own(group));
  }
  releaseLanes(program, lanes);
  return states;
}

/** The siblings of a lane's leaf: those of its leg, then those of the legs. */
function pathTo(program: Program, run: RunPart, leg: number, lane: number): Uint8Array[] {
  const tree: Tree = { leaves: program.buffer(32 * run.lanes), scratch: makeScratch(program, run.lanes) };
  program.write(tree.leaves, (run.legs[leg] as RanLeg).leaves);
  const siblings: Uint8Array[] = [];
  const visit = (level: Handle, count: number) => {
    const hashes = new Uint8Array(32 * count);
    program.read(level, hashes);
    const at = ((lane >>> siblings.length) ^ 1) * 32;
    siblings.push(hashes.slice(at, at + 32));
  };
  climb(program, { ...tree, count: run.lanes, visit });
  releaseTree(program, tree);
  const roots = run.legs.map(({ root }) => root);
  return [...siblings, ...pathOf(roots, leg)];
}
