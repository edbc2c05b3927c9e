import { auditSeedOf, seedsOf } from "@ngpu/proof/seeds";
import { type Layout, layoutOf } from "@ngpu/proof/terms";
import { bytesToHex, type Hex } from "viem";
import { drawsOf } from "../../../packages/proof/draws.ts";
import { doubleRound, writePage } from "../../../packages/proof/permutation.ts";
import type { Claim, Committed, Result } from "../../../packages/proof/record.ts";
import { type Position, placeOf, workSegment } from "../../../packages/proof/segments.ts";
import { type Kind, readsPerSegment, segmentsPerLeg, windowOf } from "../../../packages/proof/terms.ts";
import { encodeTranscript, type OpenedLeg } from "../../../packages/proof/transcript.ts";
import { chainOf, leafOf, pathOf, rootOf } from "../../../packages/proof/tree.ts";
import { keyOf } from "../../../packages/proof/words.ts";

/** Where a prover finds its pages. */
export type Pages = (number: number) => Int32Array;

/** How a prover departs from the protocol. */
export type Cheat = {
  /** Pages of a prover that does not hold them all. Default: all are held. */
  pages?: (key: Int32Array, layout: Layout) => Pages;
  /** Segments whose last state is made up. */
  invents?: (kind: Kind, position: Position) => boolean;
  /** The state with which each leg begins, instead of the end of the one before. */
  restarts?: (position: Omit<Position, "segment">) => Int32Array;
};

export type Run = { lanes: number; legs: number };
type Leg = { states: Int32Array[]; chain: Uint8Array; leaf: Uint8Array };
type Made = { run: Run; legs: Leg[][]; committed: Committed };

/** A prover in plain TypeScript, for small memories, with the ways to cheat that the tests try. */
export function answerOf(claim: Claim, runs: Record<Kind, Run>, cheat: Cheat = {}, windowPages?: number) {
  const seeds = seedsOf(claim);
  const layout = layoutOf(claim.bytes, windowPages) as Layout;
  const pages = (cheat.pages ?? heldPages)(keyOf(seeds.fill), layout);
  const chase = made("chase", runs.chase, cheat, (before, position) =>
    readSegment(before, keyOf(seeds.chase), position, { layout, pages }),
  );
  const work = made("work", runs.work, cheat, (before, position) =>
    workSegment(before, keyOf(seeds.work), position),
  );
  const answer = { chase: chase.committed, work: work.committed };
  const open = (seed: Hex) =>
    encodeTranscript(seed, { chase: opened("chase", chase, seed), work: opened("work", work, seed) });
  return {
    answer,
    open,
    result: (as: Claim = claim): Result => ({ ...answer, transcript: open(auditSeedOf(as, answer)) }),
  };
}

/** All pages, made once and kept. */
export function heldPages(key: Int32Array, layout: Layout): Pages {
  const pages = Array.from({ length: layout.windows * layout.windowPages }, (_, number) => {
    const page = new Int32Array(256);
    writePage(page, key, number);
    return page;
  });
  return (number) => pages[number] as Int32Array;
}

type Memory = { layout: Layout; pages: Pages };

/** A segment that reads its pages from a memory, written apart from the verifier's own. */
function readSegment(before: Int32Array, key: Int32Array, position: Position, { layout, pages }: Memory) {
  const { lane, leg, segment } = position;
  const tweak = [...key, lane, leg, segment, 1, 0, 0, 0, 0];
  const state = before.map((word, index) => word ^ (tweak[index] as number));
  const first = windowOf(layout, leg, segment) * layout.windowPages;
  for (let read = 0; read < readsPerSegment; read++) {
    doubleRound(state, 0, 1);
    const place = placeOf(state[0] as number, layout.windowBlocks);
    const page = pages(first + Math.floor(place / 16));
    for (let i = 0; i < 16; i++) state[i] = (state[i] as number) ^ (page[16 * (place % 16) + i] as number);
  }
  return state;
}

type Step = (before: Int32Array, position: Position) => Int32Array;

function made(kind: Kind, run: Run, { invents, restarts }: Cheat, step: Step): Made {
  const ends: Int32Array[] = Array.from({ length: run.lanes }, () => new Int32Array(16));
  const legs = Array.from({ length: run.legs }, (_, leg) =>
    ends.map((end, lane) => {
      const states = [restarts?.({ lane, leg }) ?? end];
      for (let segment = 0; segment < segmentsPerLeg; segment++) {
        const before = states[segment] as Int32Array;
        const position = { lane, leg, segment };
        states.push(invents?.(kind, position) ? before.map((word) => word ^ 1) : step(before, position));
      }
      const last = states[segmentsPerLeg] as Int32Array;
      ends[lane] = last;
      const chain = chainOf(states.slice(0, -1));
      return { states, chain, leaf: leafOf(chain, last) };
    }),
  );
  const root = rootOf(legs.map((lanes) => rootOf(lanes.map(({ leaf }) => leaf))));
  return { run, legs, committed: { ...run, root: bytesToHex(root) } };
}

function opened(kind: Kind, { legs, committed }: Made, seed: Hex): OpenedLeg[] {
  const roots = legs.map((lanes) => rootOf(lanes.map(({ leaf }) => leaf)));
  const at = (leg: number, lane: number) => {
    const lanes = legs[leg] as Leg[];
    const path = [
      ...pathOf(
        lanes.map(({ leaf }) => leaf),
        lane,
      ),
      ...pathOf(roots, leg),
    ];
    return { ...(lanes[lane] as Leg), path };
  };
  return drawsOf(kind, seed, committed).map(({ lane, leg }) => {
    const { states, path } = at(leg, lane);
    if (leg === 0) return { states, path };
    const before = at(leg - 1, lane);
    return { states, path, before: { chain: before.chain, path: before.path } };
  });
}
