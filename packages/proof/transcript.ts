import type { Hex } from "viem";
import { bytesToHex, hexToBytes } from "viem";
import { drawsOf } from "./draws.ts";
import type { Committed } from "./record.ts";
import type { Position } from "./segments.ts";
import { stateWords } from "./segments.ts";
import { type Kind, segmentsPerLeg } from "./terms.ts";
import { hashBytes, heightOf } from "./tree.ts";
import { bytesOf, wordsOf } from "./words.ts";

/** A drawn leg: the states before each segment and after the last, and its place under the root. */
export type OpenedLeg = {
  states: Int32Array[];
  path: Uint8Array[];
  /** The lane's leg before, which ends with this leg's first state. Undefined for the first leg. */
  before?: { chain: Uint8Array; path: Uint8Array[] };
};

export type Opened = Record<Kind, OpenedLeg[]>;

type Answer = Record<Kind, Committed>;

const magic = Uint8Array.of(0x4e, 0x47, 0x50, 0x31); // "NGP1"
const headerBytes = magic.length + hashBytes;
const stateBytes = 4 * stateWords;
const kinds = ["chase", "work"] as const;

/** Siblings between a leaf and the root: those within a leg's lanes, then those among the legs. */
export function pathLength({ lanes, legs }: Pick<Committed, "lanes" | "legs">): number {
  return heightOf(lanes) + heightOf(legs);
}

/** Bytes of the transcript that this audit asks of this answer. */
export function transcriptBytes(answer: Answer, seed: Hex): number {
  const sizes = kinds.flatMap((kind) =>
    drawsOf(kind, seed, answer[kind]).map((position) => openedBytes(answer[kind], position)),
  );
  return sizes.reduce((sum, size) => sum + size, headerBytes);
}

function openedBytes(committed: Committed, { leg }: Position): number {
  const path = pathLength(committed) * hashBytes;
  return (segmentsPerLeg + 1) * stateBytes + path + (leg === 0 ? 0 : hashBytes + path);
}

/** The transcript in the order of the draws, without positions: they follow from the audit's seed. */
export function encodeTranscript(seed: Hex, opened: Opened): Uint8Array {
  const legs = kinds.flatMap((kind) => opened[kind]);
  const parts = legs.flatMap(({ states, path, before }) => [
    ...states.map(bytesOf),
    ...path,
    ...(before === undefined ? [] : [before.chain, ...before.path]),
  ]);
  return new Uint8Array(Buffer.concat([magic, hexToBytes(seed, { size: 32 }), ...parts]));
}

/** The audit seed that a transcript says it answers; undefined when it is no transcript of this version. */
export function seedOfTranscript(transcript: Uint8Array): Hex | undefined {
  if (transcript.length < headerBytes || magic.some((byte, index) => transcript[index] !== byte))
    return undefined;
  return bytesToHex(transcript.subarray(magic.length, headerBytes));
}

/** Reads a transcript of exactly the length of `transcriptBytes`. */
export function decodeTranscript(transcript: Uint8Array, answer: Answer, seed: Hex): Opened {
  let at = headerBytes;
  const take = (bytes: number) => {
    at += bytes;
    return transcript.subarray(at - bytes, at);
  };
  const takePath = (committed: Committed) =>
    Array.from({ length: pathLength(committed) }, () => take(hashBytes));
  const takeLeg = (committed: Committed, { leg }: Position): OpenedLeg => {
    const states = Array.from({ length: segmentsPerLeg + 1 }, () => wordsOf(take(stateBytes)));
    const path = takePath(committed);
    if (leg === 0) return { states, path };
    return { states, path, before: { chain: take(hashBytes), path: takePath(committed) } };
  };
  const read = (kind: Kind) =>
    drawsOf(kind, seed, answer[kind]).map((position) => takeLeg(answer[kind], position));
  return { chase: read("chase"), work: read("work") };
}
