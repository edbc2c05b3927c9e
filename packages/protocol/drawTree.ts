import { encodeAbiParameters, type Hex, keccak256 } from "viem";

/** The draws of a measurement round, hashed as contracts/libraries/Draws.sol does. */
export type Draw = { port: number; salt: Hex };

/** Siblings of a draw, from the leaves up. */
export type DrawProof = [Hex, Hex, Hex];

/** Number of draws under one root. */
export const drawLeaves = 8;

/**
 * The root that a keeper commits to before a round, and the proof of each draw. Pairs are not sorted: a proof also
 * proves the position of its draw.
 *
 * @param draws Exactly 8. Draws beyond the number that the deployment uses are ignored.
 * @throws RangeError for any other number of draws.
 */
export function drawTreeOf(draws: readonly Draw[]): { root: Hex; proofOf(position: number): DrawProof } {
  if (draws.length !== drawLeaves) throw new RangeError(`A round has ${drawLeaves} draws.`);
  const levels: Hex[][] = [draws.map(leafOf)];
  for (let level = levels[0] as Hex[]; level.length > 1; ) {
    const below = level;
    level = Array.from({ length: below.length / 2 }, (_, pair) =>
      pairOf(below[2 * pair] as Hex, below[2 * pair + 1] as Hex),
    );
    levels.push(level);
  }
  const siblings = (position: number) =>
    levels.slice(0, -1).map((level, height) => level[(position >> height) ^ 1] as Hex);
  return { root: levels.at(-1)?.[0] as Hex, proofOf: (position) => siblings(position) as DrawProof };
}

function leafOf({ port, salt }: Draw): Hex {
  return keccak256(encodeAbiParameters([{ type: "uint16" }, { type: "bytes32" }], [port, salt]));
}

function pairOf(left: Hex, right: Hex): Hex {
  return keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "bytes32" }], [left, right]));
}
