import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters, toHex } from "viem";
import { encodeExceptions } from "./exceptions.ts";
import { whole } from "./shares.ts";
import { batchTree } from "./tree.ts";
import type { DeviceRef, Shares } from "./types.ts";

/** What a measurer reveals of a wave, as IProofWaves.WaveReveal. */
export type WaveReveal = {
  waveId: number;
  measurerId: number;
  results: Hex;
  transcripts: Hex;
  exceptions: Hex;
  salt: Hex;
};

/** What a measurer states of one device, with the hash of the transcript that shows it. */
export type StatedResult = DeviceRef & { shares: Shares; transcriptHash?: Hex };

const revealed = parseAbiParameters("uint32, uint32, bytes32, bytes32, bytes32, bytes32");

/** The commitment to a reveal: what the measurer posts as its results. */
export function revealHashOf(reveal: WaveReveal): Hex {
  const { waveId, measurerId, results, transcripts, exceptions, salt } = reveal;
  return keccak256(
    encodeAbiParameters(revealed, [waveId, measurerId, results, transcripts, exceptions, salt]),
  );
}

/**
 * A measurer's statement about a wave, with the list of exceptions that it names.
 *
 * @param salt 32 random bytes, without which a short list could be guessed from its commitment.
 */
export function revealOf(
  ids: { waveId: number; measurerId: number },
  stated: readonly StatedResult[],
  salt: Hex,
): { reveal: WaveReveal; list: Hex } {
  const list = encodeExceptions(
    stated.filter(({ shares }) => Math.min(shares.memory, shares.bandwidth, shares.arithmetic) < whole),
  );
  const results = stated.map(({ nodeId, device, shares }) => ({ nodeId, device, value: resultHash(shares) }));
  const transcripts = stated.flatMap(({ nodeId, device, transcriptHash }) =>
    transcriptHash === undefined ? [] : [{ nodeId, device, value: transcriptHash }],
  );
  return {
    list,
    reveal: {
      ...ids,
      results: batchTree("results", results).root,
      transcripts: batchTree("transcripts", transcripts).root,
      exceptions: keccak256(list),
      salt,
    },
  };
}

/** Of the three shares, one byte each. */
function resultHash({ memory, bandwidth, arithmetic }: Shares): Hex {
  return keccak256(toHex((memory << 16) | (bandwidth << 8) | arithmetic, { size: 3 }));
}
