import { encodeDevice } from "@ngpu/waves/claims";
import { type Exception, encodeExceptions } from "@ngpu/waves/exceptions";
import { beginsAt, blocksOf, stages, type WaveTerms } from "@ngpu/waves/schedule";
import type { WaveLog } from "@ngpu/waves/types";
import { type Hex, keccak256, pad, stringToHex, toHex } from "viem";
import { figures } from "./facts.ts";

export const terms: WaveTerms = {
  stride: 2,
  chance: 3,
  fillBlocks: 6,
  chaseBlocks: 4,
  workBlocks: 4,
  commitBlocks: 6,
  revealBlocks: 6,
};

export const hashOf = (name: string | number): Hex => keccak256(stringToHex(`${name}`));
export const accountOf = (name: string): Hex => `0x${hashOf(name).slice(26)}`;

/** The first block from `from` on whose hash begins a wave. */
export function drawnFrom(from: number): number {
  for (let number = from; ; number += 1) if (beginsAt({ number, hash: hashOf(number) }, terms)) return number;
}

export function logOf(name: string, args: Record<string, unknown>, block: number): WaveLog {
  return { contract: "ProofWaves", name, args, block: BigInt(block) };
}

export const cpu = { figures, hardware: { kind: "cpu" as const, cores: 16 } };

/** The logs of so many nodes with one device each, and of measurers, before block 10. */
export function marketLogs({ nodes, measurers }: { nodes: number; measurers: number }): WaveLog[] {
  const zero = toHex(0, { size: 20 });
  const each = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  return [
    ...each(nodes).map((nodeId) =>
      logOf("NodeRegistered", { nodeId, key: accountOf(`node ${nodeId}`), wallet: zero, isBound: false }, 1),
    ),
    ...each(measurers).flatMap((measurerId) => [
      logOf("MeasurerRegistered", { measurerId, key: accountOf(`measurer ${measurerId}`), wallet: zero }, 2),
      logOf("MeasurerAdmissionSet", { measurerId, admitted: true }, 2),
    ]),
    ...each(nodes).map((nodeId) => claimLog(nodeId, [encodeDevice(cpu)], 3)),
  ];
}

export function claimLog(nodeId: number, devices: Hex[], block: number): WaveLog {
  return logOf("HardwareClaimed", { nodeId, devices, deadline: 1n }, block);
}

export type Script = {
  /** What each measurer that reveals states. */
  lists: Record<number, readonly Exception[]>;
  roots?: { chase: Hex; answers: Hex };
  /** Measurers that commit and do not reveal. */
  withholding?: readonly number[];
};

/** The logs of a wave that begins at a block. */
export function waveLogs(waveId: number, fill: number, script: Script): WaveLog[] {
  const blocks = blocksOf(fill, terms);
  const { chase = pad("0x1"), answers = pad("0x2") } = script.roots ?? {};
  const ids = [...Object.keys(script.lists).map(Number), ...(script.withholding ?? [])];
  const post = (measurerId: number, stage: number, root: Hex, block: number) =>
    logOf("WavePosted", { waveId, measurerId, stage, root }, block);
  const named = (list: readonly Exception[]) => keccak256(encodeExceptions(list));
  return [
    logOf("WaveOpened", { waveId, fillBlock: fill, fillHash: hashOf(fill) }, fill + 1),
    ...ids.map((id) => post(id, stages.chase, chase, blocks.work)),
    ...ids.map((id) => post(id, stages.answers, answers, blocks.answered)),
    logOf(
      "WaveSeedsRecorded",
      {
        waveId,
        chaseHash: hashOf(blocks.chase),
        workHash: hashOf(blocks.work),
        auditHash: hashOf(blocks.audit),
      },
      blocks.audit + 1,
    ),
    ...ids.map((id) => post(id, stages.results, hashOf(`results ${id}`), blocks.committed)),
    ...Object.entries(script.lists).flatMap(([id, list]) => [
      logOf(
        "WaveRevealed",
        {
          waveId,
          measurerId: Number(id),
          exceptions: named(list),
          results: hashOf(`root ${id}`),
          transcripts: hashOf(`transcripts ${id}`),
        },
        blocks.revealed,
      ),
      logOf(
        "ExceptionsPublished",
        { waveId, exceptions: named(list), list: encodeExceptions(list) },
        blocks.revealed,
      ),
    ]),
  ];
}

/** An exception of a node's first device. */
export function exception(nodeId: number, share: number): Exception {
  return { nodeId, device: 0, shares: { memory: share, bandwidth: share, arithmetic: share } };
}
