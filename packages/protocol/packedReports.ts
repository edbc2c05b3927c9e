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

/** A report or signature that has no packed form; the chain would not take it in any other. */
export class PackingError extends InputError {}

const maxDeadline = 2n ** 48n - 1n;
// Half the order of secp256k1: of the two forms of a signature the chain takes the one with the lower s.
const maxS = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

/**
 * A Report and its signature as DockerContract.reportBatch takes them; the layout stands in PackedReports.sol.
 * @throws PackingError `deadline_too_late` past 48 bits, `signature_invalid` as compactSignature.
 */
export function packReport(message: ReportMessage, signature: Hex): SignedReport {
  const { state, detail, sequence, deadline } = message;
  if (deadline > maxDeadline) {
    throw new PackingError(`The deadline ${deadline} does not fit 48 bits.`, {
      code: "deadline_too_late",
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
 * A ProgressReport and its signature as Progress.reportBatch takes them; the layout stands in PackedProgress.sol.
 * @throws PackingError `signature_invalid` as compactSignature.
 */
export function packProgress(message: ProgressMessage, signature: Hex): SignedProgress {
  const { milestone, deadline } = message;
  const own = [numberToHex(milestone, { size: 2 }), numberToHex(deadline, { size: 8 })];
  return { head: concatHex([leaseHead(message), ...own]), ...compactSignature(signature) };
}

/**
 * A signature in its compact form (ERC-2098).
 * @throws PackingError `signature_invalid` unless it has 65 bytes, the lower s and 27 or 28 at its end.
 */
export function compactSignature(signature: Hex): Compact {
  const refuse = (why: string) =>
    new PackingError(`The signature ${why}.`, {
      code: "signature_invalid",
      hint: "Use the signature of a wallet: 65 bytes (r, s, v) with the lower s and v of 27 or 28.",
      details: { signature },
    });
  const bytes = size(signature);
  if (bytes !== 65) throw refuse(`has ${bytes} bytes, not 65`);
  const r = slice(signature, 0, 32);
  const s = slice(signature, 32, 64);
  const v = Number(slice(signature, 64));
  if (v !== 27 && v !== 28) throw refuse(`has ${v} for v, not 27 or 28`);
  if (hexToBigInt(s) > maxS) throw refuse("has the higher s");
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
