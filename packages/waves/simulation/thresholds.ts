import { gpuModels } from "@ngpu/proof/models";
import { holds, provenOf, readsOf } from "./chase.ts";
import { cpuDevice, type Device, gpuDevice, modelNamed, randomShare } from "./devices.ts";
import { largestClaim, mostAtOnce, passesAlone } from "./liars.ts";
import { claimOf, guardSeconds, honestClaim, secondsOf, terms, wholeEffort } from "./market.ts";

/** The devices that `docs/trust.md` gives figures of. */
export const examples: readonly { name: string; device: Device }[] = [
  { name: "2 cores, 8 GiB", device: cpuDevice(2, 8) },
  { name: "64 cores, 256 GiB", device: cpuDevice(64, 256) },
  { name: "GeForce RTX 4090", device: gpuDevice(modelNamed("NVIDIA GeForce RTX 4090")) },
  { name: "A100 80GB", device: gpuDevice(modelNamed("NVIDIA A100-SXM4-80GB")) },
  { name: "H100 80GB", device: gpuDevice(modelNamed("NVIDIA H100 80GB HBM3")) },
];

export type DeviceThresholds = {
  name: string;
  /** Least seconds of a chase in which the device is proven, with the guard and an ordinary delay of the seed. */
  chaseSeconds: number;
  /** Largest share of the device that other work may take. */
  load: number;
  /** Largest part of the device that two names may each claim so that both pass in the same wave. */
  sharedPart: number;
  /** Largest multiple of its memory that passes, with the rest made up; what of it is proven. */
  claim: number;
  claimProven: number;
  /** Reads a second of a disk that let double the memory pass. */
  diskReads: number;
};

/** Delay of the seed that one wave in a thousand exceeds, with a lost packet. */
const lateSeed = 2.5;

export function thresholdsOf({ name, device }: (typeof examples)[number]): DeviceThresholds {
  const claim = largestClaim(device);
  return {
    name,
    chaseSeconds: leastOf(1, 600, (seconds) => isProven(device, seconds, 0)),
    load: mostShare((load) => isProven(device, secondsOf(terms.chaseBlocks), load)),
    sharedPart: mostShare((size) => mostAtOnce(claimOf(device, device.memoryBytes * size, none), 2) >= 2),
    claim,
    claimProven: rounded(claim * 0.8),
    diskReads: leastPower((reads) => passesAlone(device, 2, reads)),
  };
}

const none = { bandwidth: 0, arithmetic: 0 };

function isProven(device: Device, chaseSeconds: number, load: number): boolean {
  const { claimed, ...claim } = honestClaim(device);
  const effort = wholeEffort({ claimed, ...claim });
  const seconds = chaseSeconds - guardSeconds - lateSeed;
  const readsPerSecond = effort.readsPerSecond * (1 - load);
  const reads = readsOf({ ...effort, seconds, readsPerSecond }, claimed);
  return holds(claimed, provenOf(claimed, reads, 1_000 * chaseSeconds));
}

/** The first integer that holds; the last one where none does. */
function leastOf(from: number, to: number, holdsAt: (value: number) => boolean): number {
  for (let value = from; value < to; value++) if (holdsAt(value)) return value;
  return to;
}

/** The largest share, in hundredths, that holds. */
function mostShare(holdsAt: (share: number) => boolean): number {
  for (let hundredths = 100; hundredths > 0; hundredths--)
    if (holdsAt(hundredths / 100)) return hundredths / 100;
  return 0;
}

/** The first power of 1.25 from 10,000 that holds, in full thousands. */
function leastPower(holdsAt: (value: number) => boolean): number {
  let value = 10_000;
  while (value < 1e12 && !holdsAt(value)) value *= 1.25;
  return Math.round(value / 1_000) * 1_000;
}

/** The share of its published bandwidth that a model's random reads need, so that its memory is proven. */
export function neededShares(): { model: string; share: number }[] {
  return gpuModels
    .map((model) => {
      const needed = leastOf(1, 100, (hundredths) =>
        isProven(gpuDevice(model, hundredths / 100), secondsOf(terms.chaseBlocks), 0),
      );
      return { model: model.name, share: needed / 100 };
    })
    .sort((a, b) => b.share - a.share);
}

/** Models whose memory is not proven if random reads have only this share of the bandwidth. */
export function unprovenModels(share = randomShare): string[] {
  return neededShares().flatMap((needed) => (needed.share > share ? [needed.model] : []));
}

/** The chance that so many colluding measurers of a share are drawn. */
export function chanceOf(atLeast: number, drawn: number, colluding: number): number {
  let chance = 0;
  for (let count = atLeast; count <= drawn; count++)
    chance += choose(drawn, count) * colluding ** count * (1 - colluding) ** (drawn - count);
  return chance;
}

/** A round of measurements as Measure judges it: who is drawn, and how many results a verdict needs. */
type RoundRules = {
  draws: number;
  quorum: number;
  /** Share of all measurers that collude. */
  colluding: number;
  /** The keeper is one of them, and leaves out as many results of others as help. */
  keeperDrops: boolean;
};

/** The chance that a round ends with what colluding measurers say, against all others. */
export function falseRounds({ draws, quorum, colluding, keeperDrops }: RoundRules): number {
  const isFalse = (liars: number) => {
    const others = keeperDrops ? 0 : draws - liars;
    return liars >= neededOf(liars + others, quorum);
  };
  return chancesOf(draws, colluding).reduce((sum, chance, liars) => sum + (isFalse(liars) ? chance : 0), 0);
}

/** The chance that they leave a round without a verdict, where all results are there. */
export function voidRounds({ draws, quorum, colluding }: Omit<RoundRules, "keeperDrops">): number {
  const needed = neededOf(draws, quorum);
  const isVoid = (liars: number) => liars < needed && draws - liars < needed;
  return chancesOf(draws, colluding).reduce((sum, chance, liars) => sum + (isVoid(liars) ? chance : 0), 0);
}

/** Results that must say the same, as contracts/measure/Results.sol has it. */
function neededOf(results: number, quorum: number): number {
  return Math.max(quorum, results < 3 ? results : results - 1);
}

/** The chance of each number of colluding measurers among those drawn. */
function chancesOf(draws: number, colluding: number): number[] {
  return Array.from(
    { length: draws + 1 },
    (_, liars) => choose(draws, liars) * colluding ** liars * (1 - colluding) ** (draws - liars),
  );
}

function choose(of: number, count: number): number {
  let ways = 1;
  for (let item = 1; item <= count; item++) ways = (ways * (of - count + item)) / item;
  return ways;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
