import { InputError } from "@ngpu/runtime/errors";
import {
  concatHex,
  type Hex,
  hexToBigInt,
  numberToHex,
  signatureToCompactSignature,
  size,
  slice,
} from "viem";

type Lease = { workspaceId: bigint; replica: number; lease: number; fence: Hex };

export type ReportMessage = Lease & { state: number; detail: Hex; sequence: number; deadline: bigint };
export type ProgressMessage = Lease & { milestone: number; deadline: bigint };

type Compact = { r: Hex; vs: Hex };
export type SignedReport = Compact & { head: Hex; detail: Hex };
export type SignedProgress = Compact & { head: Hex };

/** A report or signature without a packed form. The contracts do not accept any other form. */
export class PackingError extends InputError {}

const maxDeadline = 2n ** 48n - 1n;
// Half the order of secp256k1: of the two valid forms of a signature, the contracts accept the one with the lower s.
const maxS = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

/**
 * Packs a Report and its signature for DockerContract.reportBatch. PackedReports.sol documents the layout.
 * @throws PackingError `deadline_invalid` above 48 bits; `signature_invalid` as in compactSignature.
 */
export function packReport(message: ReportMessage, signature: Hex): SignedReport {
  const { state, detail, sequence, deadline } = message;
  if (deadline > maxDeadline) {
    throw new PackingError(`The deadline ${deadline} does not fit in 48 bits.`, {
      code: "deadline_invalid",
      hint: "Use Unix time in seconds.",
      details: { deadline, highest: maxDeadline },
    });
  }
  const head = concatHex([
    leaseHead(message),
    numberToHex(state, { size: 1 }),
    numberToHex(sequence, { size: 3 }),
    numberToHex(deadline, { size: 6 }),
  ]);
  return { head, detail, ...compactSignature(signature) };
}

/**
 * Packs a ProgressReport and its signature for Progress.reportBatch. PackedProgress.sol documents the layout.
 * @throws PackingError `signature_invalid` as in compactSignature.
 */
export function packProgress(message: ProgressMessage, signature: Hex): SignedProgress {
  const { milestone, deadline } = message;
  const own = [numberToHex(milestone, { size: 2 }), numberToHex(deadline, { size: 8 })];
  return { head: concatHex([leaseHead(message), ...own]), ...compactSignature(signature) };
}

/**
 * Converts a signature to its compact form (ERC-2098).
 * @throws PackingError `signature_invalid` unless it has 65 bytes, the lower s, and a v of 27 or 28.
 */
export function compactSignature(signature: Hex): Compact {
  const invalid = (why: string) =>
    new PackingError(`The signature ${why}.`, {
      code: "signature_invalid",
      hint: "Use a wallet's signature: 65 bytes (r, s, v) with the lower s and a v of 27 or 28.",
      details: { signature },
    });
  const bytes = size(signature);
  if (bytes !== 65) throw invalid(`has ${bytes} bytes, not 65`);
  const r = slice(signature, 0, 32);
  const s = slice(signature, 32, 64);
  const v = Number(slice(signature, 64));
  if (v !== 27 && v !== 28) throw invalid(`has a v of ${v}, not 27 or 28`);
  if (hexToBigInt(s) > maxS) throw invalid("has the higher s");
  const { yParityAndS } = signatureToCompactSignature({ r, s, yParity: v - 27 });
  return { r, vs: yParityAndS };
}

function leaseHead({ workspaceId, replica, lease, fence }: Lease): Hex {
  return concatHex([
    numberToHex(workspaceId, { size: 8 }),
    numberToHex(replica, { size: 2 }),
    numberToHex(lease, { size: 4 }),
    fence,
  ]);
}
