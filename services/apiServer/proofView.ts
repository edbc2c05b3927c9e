import { decodeDevice, modelNamed } from "@ngpu/waves/claims";
import { historiesOf, type JudgedWave } from "@ngpu/waves/history";
import { keyOf } from "@ngpu/waves/types";
import type { Hex } from "viem";
import type { Figures, NodeProof } from "./schemas/nodeProof.ts";

type Claim = { devices: Hex[]; block: string } | undefined;

/**
 * What a node claims and what waves proved of it, as the API shows it.
 *
 * @param waves Newest first.
 */
export function proofOf(nodeId: number, claim: Claim, waves: readonly JudgedWave[]): NodeProof {
  const histories = historiesOf([...waves].reverse());
  const devices = (claim?.devices ?? []).map((word, device) => {
    const { figures, hardware } = decodeDevice(word);
    const standing = histories.get(keyOf({ nodeId, device }))?.standing;
    return {
      device,
      hardware:
        hardware.kind === "cpu"
          ? { kind: "cpu" as const, cores: hardware.cores, model: null }
          : { kind: "gpu" as const, cores: null, model: modelNamed(hardware.modelHash) ?? null },
      claimed: shownFigures(figures),
      counts: standing?.paid ? shownFigures(standing.proven) : null,
      passed: standing?.passed ?? 0,
      waves: standing?.waves ?? 0,
    };
  });
  return {
    nodeId,
    claimedBlock: claim?.block ?? null,
    devices,
    waves: waves.map((wave) => shownWave(nodeId, wave)),
  };
}

function shownWave(nodeId: number, wave: JudgedWave): NodeProof["waves"][number] {
  const { waveId, blocks, fillHash, verdict, statements, roots, withheld } = wave;
  const own = verdict.devices.filter((device) => device.nodeId === nodeId);
  const rootOf = (batch: "chase" | "answers", measurerId: number) =>
    roots[batch].find((posted) => posted.measurerId === measurerId)?.root ?? null;
  return {
    waveId,
    block: String(blocks.fill),
    blockHash: fillHash,
    held: verdict.held,
    reason: verdict.held ? null : verdict.reason,
    devices: own.map(({ device, outcome, proven, contested, measurers }) => {
      return { device, outcome, proven: shownFigures(proven), contested, measurers };
    }),
    measurers: statements.map(({ measurerId, results, transcripts }) => ({
      measurerId,
      chaseRoot: rootOf("chase", measurerId),
      answersRoot: rootOf("answers", measurerId),
      resultsRoot: results,
      transcriptsRoot: transcripts,
    })),
    withheld,
  };
}

function shownFigures(figures: {
  bytes: bigint;
  bytesPerSecond: bigint;
  operationsPerSecond: bigint;
}): Figures {
  return {
    bytes: String(figures.bytes),
    bytesPerSecond: String(figures.bytesPerSecond),
    operationsPerSecond: String(figures.operationsPerSecond),
  };
}
