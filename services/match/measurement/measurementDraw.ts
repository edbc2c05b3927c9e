import { randomBytes, randomInt } from "node:crypto";
import { drawLeaves, drawTreeOf } from "@ngpu/protocol/drawTree";
import { bytesToHex, type Hex } from "viem";
import type { MeasurableNode, MeasurerSession, NewDraw, NewRound, RoundToDraw } from "./roundFacts.ts";

/**
 * Whether a node needs a round now.
 *
 * @param now Unix seconds
 * @param ttlSeconds validity of a measurement
 */
export function needsRound(node: MeasurableNode, now: number, ttlSeconds: number): boolean {
  if (node.open) return false;
  // A measurement is renewed in the last quarter of its validity.
  if (node.valid_until !== null && node.valid_until - now > ttlSeconds / 4) return false;
  if (node.failures === 0 || node.failed_at === null) return true;
  return now >= node.failed_at + Math.min(600, 5 * 2 ** Math.min(node.failures - 1, 10));
}

export type RandomSource = {
  /** A random integer from 0 to `limit` - 1. */
  below(limit: number): number;
  /** Random bytes. */
  bytes(length: number): Hex;
};

/** Randomness of the operating system: draws and ports cannot be predicted. */
export const randomSource: RandomSource = {
  below: (limit) => randomInt(limit),
  bytes: (length) => bytesToHex(randomBytes(length)),
};

/**
 * Prepares a round of a node: random salts, and for each draw a random port of those that no other round uses. So each measurer
 * samples another port, and a round ends only if nearly all of them are reached.
 */
export function prepareRound(
  node: { node_id: number; host: string },
  facts: { ports: { first: number; last: number }; taken: ReadonlySet<number> },
  random: RandomSource,
): NewRound {
  const sampled = samplePorts(facts, random);
  const salts = Array.from({ length: drawLeaves }, () => random.bytes(32));
  const ports = salts.map((_, position) => sampled[position % sampled.length] as number);
  const { root } = drawTreeOf(salts.map((salt, position) => ({ port: ports[position] as number, salt })));
  return {
    draws: root,
    node_id: node.node_id,
    host: node.host,
    port: sampled[0] as number,
    ports,
    token: random.bytes(24).slice(2),
    salts,
  };
}

/** At most a quarter of the free ports, so that other rounds on the same machine have some; at least one. */
function samplePorts(
  { ports: { first, last }, taken }: { ports: { first: number; last: number }; taken: ReadonlySet<number> },
  random: RandomSource,
): number[] {
  const all = Array.from({ length: last - first + 1 }, (_, place) => first + place);
  const free = all.filter((port) => !taken.has(port));
  const from = free.length === 0 ? all : free;
  const count = Math.max(1, Math.min(drawLeaves, Math.floor(free.length / 4)));
  return Array.from({ length: count }, () => from.splice(random.below(from.length), 1)[0] as number);
}

/**
 * Checks the draws of a round. A draw fails if no measurer was drawn, if the measurer is unknown or belongs to the node's
 * operator, or if its operator was drawn before.
 *
 * @param drawn measurer ids in the order of the draws; 0: none
 */
export function checkDraws(
  round: Pick<RoundToDraw, "key" | "owner">,
  drawn: readonly number[],
  measurers: readonly MeasurerSession[],
): NewDraw[] {
  const owners = new Map(measurers.map(({ measurer_id, owner }) => [measurer_id, owner]));
  const taken = new Set<string>();
  return drawn.map((measurer_id, position) => {
    const owner = owners.get(measurer_id);
    const failed = (failure: string): NewDraw => ({ position, measurer_id, failure });
    if (measurer_id === 0) return failed("no measurer was drawn");
    if (owner === undefined) return failed("the measurer is unknown");
    if (owner === round.owner || owner === round.key) return failed("the node belongs to the measurer");
    if (taken.has(owner)) return failed("its operator is already drawn");
    taken.add(owner);
    return { position, measurer_id, failure: null };
  });
}
