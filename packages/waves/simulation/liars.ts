import { holds, provenOf, readsOf } from "./chase.ts";
import { cpuDevice, type Device } from "./devices.ts";
import {
  type Box,
  claimOf,
  type Effort,
  type SimulatedClaim,
  secondsOf,
  terms,
  wholeEffort,
} from "./market.ts";

/** Seconds of the chase that a liar with the best connection has. */
const liarSeconds = secondsOf(terms.chaseBlocks) - 2.5;

/** What each of some names has that share a device evenly. `diskReads`: pages that a disk gives in a second. */
function shareOf({ device, claimed }: SimulatedClaim, among: number, diskReads = 0): Effort {
  return {
    heldBytes: Math.min(claimed.filledBytes, device.memoryBytes / among),
    readsPerSecond: device.readsPerSecond / among,
    pagesPerSecond: device.pagesPerSecond / among,
    diskPagesPerSecond: diskReads / among,
    operationsPerSecond: device.operationsPerSecond / among,
  };
}

/** Whether a claim passes with this effort and no delay but the chain's. */
function passes({ claimed }: SimulatedClaim, effort: Effort): boolean {
  const reads = readsOf({ ...effort, seconds: liarSeconds }, claimed);
  return holds(claimed, provenOf(claimed, reads, 1_000 * secondsOf(terms.chaseBlocks)));
}

/** The most names that one device lets pass in the same wave. */
export function mostAtOnce(claim: SimulatedClaim, names: number, diskReads = 0): number {
  let most = 0;
  for (let among = 1; among <= names; among++)
    if (passes(claim, shareOf(claim, among, diskReads))) most = among;
  return most;
}

const nothing: Effort = { heldBytes: 0, readsPerSecond: 0, pagesPerSecond: 0, operationsPerSecond: 0 };

/**
 * Names that each claim a multiple of the same device. As many as can pass at once answer in a wave, and they take turns.
 * They claim no more bandwidth and arithmetic than their part, since memory is what a liar wants to be paid for.
 */
export function sharersBox(
  firstId: number,
  { device, names, size }: { device: Device; names: number; size: number },
): Box {
  const rates = { bandwidth: 0.5 / names, arithmetic: 0.25 / names };
  const claim = claimOf(device, device.memoryBytes * size, rates);
  const together = Math.max(1, mostAtOnce(claim, names));
  const nodes = Array.from({ length: names }, (_, place) => ({ nodeId: firstId + place, claims: [claim] }));
  return {
    kind: `${names} names that claim ${size} of a box each`,
    nodes,
    memoryBytes: device.memoryBytes,
    plan: (wave) =>
      nodes.map((_, place) => [
        (place - wave * together + wave * names) % names < together ? shareOf(claim, together) : nothing,
      ]),
  };
}

/**
 * Names on boxes of which all but one are there in each wave, so that each is absent as rarely as an excuse allows; of one box,
 * each name has it for so many waves.
 */
export function absenteesBox(
  firstId: number,
  { device, cards, waves }: { device: Device; cards: number; waves: number },
): Box {
  const claim = claimOf(device, device.memoryBytes, { bandwidth: 0.5, arithmetic: 0.25 });
  const names = cards + 1;
  const isPresent = (place: number, wave: number) =>
    cards === 1 ? Math.floor(wave / waves) % 2 === place : wave % names !== place;
  return {
    kind:
      cards === 1 ? `2 names that have a box for ${waves} waves each` : `${names} names on ${cards} boxes`,
    nodes: Array.from({ length: names }, (_, place) => ({ nodeId: firstId + place, claims: [claim] })),
    memoryBytes: device.memoryBytes * cards,
    plan: (wave) =>
      Array.from({ length: names }, (_, place) => [isPresent(place, wave) ? wholeEffort(claim) : nothing]),
  };
}

/** One name that claims a multiple of its memory and makes up the rest as it is read, or has it on a disk. */
export function overclaimBox(
  nodeId: number,
  { device, size, diskReads = 0 }: { device: Device; size: number; diskReads?: number },
): Box {
  const claim = claimOf(device, device.memoryBytes * size, { bandwidth: 0.05, arithmetic: 0.25 });
  return {
    kind:
      diskReads > 0 ? `${size} of the memory, the rest on a disk` : `${size} of the memory, the rest made up`,
    nodes: [{ nodeId, claims: [claim] }],
    memoryBytes: device.memoryBytes,
    plan: () => [[shareOf(claim, 1, diskReads)]],
  };
}

/** A device that is there in waves alone: its owner has it elsewhere in between. */
export function lenderBox(nodeId: number, device: Device): Box {
  const claim = claimOf(device, device.memoryBytes, { bandwidth: 0.5, arithmetic: 0.25 });
  return {
    kind: "memory lent between waves",
    nodes: [{ nodeId, claims: [claim] }],
    memoryBytes: device.memoryBytes,
    plan: () => [[wholeEffort(claim)]],
  };
}

/**
 * Names on one box that rent themselves in turn: one proves the box, the others keep their last proof, as a node does
 * whose device a tenant has.
 */
export function selfLeasedBox(
  firstId: number,
  device: Device,
  { names, waves }: { names: number; waves: number },
): Box {
  const claim = claimOf(device, device.memoryBytes, { bandwidth: 0.5, arithmetic: 0.25 });
  const turnOf = (wave: number) => Math.floor(wave / waves) % names;
  return {
    kind: `${names} names that rent themselves for ${waves} waves in turn`,
    nodes: Array.from({ length: names }, (_, place) => ({ nodeId: firstId + place, claims: [claim] })),
    memoryBytes: device.memoryBytes,
    plan: (wave) =>
      Array.from({ length: names }, (_, place) => [turnOf(wave) === place ? wholeEffort(claim) : nothing]),
    isLeased: (nodeId, wave) => turnOf(wave) !== nodeId - firstId,
  };
}

/** A name with a claim and nothing behind it. */
export function silentBox(nodeId: number, kind: string): Box {
  const claim = claimOf(cpuDevice(2, 8), 2 ** 33, { bandwidth: 0.5, arithmetic: 0.25 });
  return { kind, nodes: [{ nodeId, claims: [claim] }], memoryBytes: 2 ** 33, plan: () => [[nothing]] };
}

/** Whether one name passes that claims a multiple of its memory. */
export function passesAlone(device: Device, size: number, diskReads = 0): boolean {
  const claim = claimOf(device, device.memoryBytes * size, { bandwidth: 0, arithmetic: 0 });
  return passes(claim, shareOf(claim, 1, diskReads));
}

/** The largest multiple of its memory that one name proves, in hundredths. */
export function largestClaim(device: Device): number {
  let hundredths = 50;
  while (hundredths < 400 && passesAlone(device, hundredths / 100)) hundredths += 1;
  return (hundredths - 1) / 100;
}
