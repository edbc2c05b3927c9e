import type { Proven } from "@ngpu/proof/proven";
import type { Hex } from "viem";
import { heldOf, historiesOf, type WaveOutcome } from "./history.ts";
import { defaultRules } from "./rules.ts";

/** A device with what counts of it after the waves that were held. */
export type ProvenDevice = {
  kind: "cpu" | "gpu";
  /** The first 8 bytes of the hash of its model's name; undefined: a CPU. */
  modelHash: Hex | undefined;
  /** As the node's key claims it. */
  claimed: Proven;
  /** At most the claim; nothing where it passed too few waves, or failed the last one without an excuse. */
  proven: Proven;
  /** It shares the emission: it passed the last wave, or is excused. */
  earns: boolean;
};

/**
 * What a market's waves proved. A node is `judged` once enough waves that some device passed were held since it registered for
 * it to have passed. Until then it is a newcomer, about which nothing is known.
 */
export type Proofs = {
  devicesOf: (nodeId: number) => readonly ProvenDevice[];
  /** @param registered The block of its registration. */
  isJudged: (registered: bigint) => boolean;
};

/** @param waves Those whose reveals have ended, oldest first. The last `lookedAt` are enough, or `countedWaves` held ones. */
export function proofsOf(waves: readonly WaveOutcome[]): Proofs {
  const devices = new Map<number, ProvenDevice[]>();
  for (const { claimed, standing } of historiesOf(waves).values()) {
    const own = devices.get(claimed.nodeId) ?? [];
    devices.set(claimed.nodeId, own);
    const { hardware } = claimed.claimed;
    own.push({
      kind: hardware.kind,
      modelHash: hardware.kind === "gpu" ? hardware.modelHash : undefined,
      claimed: claimed.figures,
      proven: standing.proven,
      earns: standing.earns,
    });
  }
  const { passes } = waves.at(-1)?.rules ?? defaultRules;
  // A wave that no device passes shows nothing about those that did not.
  const isPassed = ({ verdict: { devices } }: WaveOutcome) =>
    devices.some(({ outcome }) => outcome === "passed");
  const held = heldOf(waves)
    .filter(isPassed)
    .map(({ blocks }) => blocks.fill);
  const needed = held.at(-passes);
  return {
    devicesOf: (nodeId) => devices.get(nodeId) ?? [],
    isJudged: (registered) => needed !== undefined && held.length >= passes && BigInt(needed) > registered,
  };
}
