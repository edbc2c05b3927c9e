import { randomBytes, randomInt } from "node:crypto";
import { bytesToHex, encodeAbiParameters, type Hex, keccak256 } from "viem";
import type { Draw, MeasurableNode, MeasurerSession, UndrawnRound } from "./measureStore.ts";

/** A commitment needs so long to reach the chain, in seconds; it must be there before the round opens. */
const commitSeconds = 1;

/** Whether a node needs a round now. Times are Unix seconds. */
export function needsRound(node: MeasurableNode, now: number, ttlSeconds: number): boolean {
  if (node.open) return false;
  // Renewed when a quarter of its life is left.
  if (node.valid_until !== null && node.valid_until - now > ttlSeconds / 4) return false;
  if (node.failures === 0 || node.failed_at === null) return true;
  return now >= node.failed_at + Math.min(600, 5 * 2 ** Math.min(node.failures - 1, 10));
}

export type Chance = {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number;
  bytes(length: number): Hex;
};

/** The operating system's randomness: nobody foresees who measures and where. */
export const chance: Chance = {
  below: (limit) => randomInt(limit),
  bytes: (length) => bytesToHex(randomBytes(length)),
};

/** keccak256(abi.encode(roundId, measurerId, port, salt)): what binds a draw before it is told to anyone. */
export function commitmentOf(draw: Pick<Draw, "round_id" | "measurer_id" | "port" | "salt">): Hex {
  return keccak256(
    encodeAbiParameters(
      [{ type: "uint64" }, { type: "uint32" }, { type: "uint16" }, { type: "bytes32" }],
      [draw.round_id, draw.measurer_id, draw.port, draw.salt],
    ),
  );
}

/** Draws who measures a round and at which port; undefined when it cannot be drawn now. */
export function drawRound(
  round: UndrawnRound,
  facts: {
    now: number;
    measurers: readonly MeasurerSession[];
    ports: { first: number; last: number };
    taken: ReadonlySet<number>;
  },
  random: Chance,
): Omit<Draw, "status" | "url"> | undefined {
  if (round.opens_at - facts.now < commitSeconds) return undefined;
  const others = facts.measurers.filter(({ owner }) => owner !== round.owner && owner !== round.key);
  const measurer = others[random.below(Math.max(1, others.length))];
  if (measurer === undefined) return undefined;
  const span = facts.ports.last - facts.ports.first + 1;
  let port = facts.ports.first + random.below(span);
  for (let step = 0; step < span && facts.taken.has(port); step += 1) {
    port = port === facts.ports.last ? facts.ports.first : port + 1;
  }
  const draw = {
    round_id: round.round_id,
    node_id: round.node_id,
    measurer_id: measurer.measurer_id,
    port,
    salt: random.bytes(32),
    token: random.bytes(24).slice(2),
    closes_at: round.closes_at,
  };
  return { ...draw, commitment: commitmentOf(draw) };
}
