import { type Hex, hexToBytes } from "viem";
import type { Committed } from "./record.ts";
import type { Position } from "./segments.ts";
import { auditedLegs, type Kind, segmentsPerLeg } from "./terms.ts";
import { blake2s } from "./tree.ts";

/**
 * What an audit opens of one part: legs of lanes, and the segment of each that is recomputed. Drawn with replacement.
 * The modulus favours some legs by less than 2⁻²⁴.
 */
export function drawsOf(
  kind: Kind,
  seed: Hex,
  { lanes, legs }: Pick<Committed, "lanes" | "legs">,
): Position[] {
  return Array.from({ length: auditedLegs[kind] }, (_, index) => {
    const digest = blake2s(hexToBytes(seed, { size: 32 }), Uint8Array.of(kind === "chase" ? 1 : 2, index));
    const view = new DataView(digest.buffer, digest.byteOffset);
    const place = Number(view.getBigUint64(0, true) % BigInt(lanes * legs));
    return {
      lane: place % lanes,
      leg: Math.floor(place / lanes),
      segment: view.getUint8(8) % segmentsPerLeg,
    };
  });
}
