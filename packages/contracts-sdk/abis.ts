import { type Abi, AbiErrorSignatureNotFoundError, decodeErrorResult, type Hex } from "viem";
import {
  computeNodeAbi,
  dockerContractAbi,
  escrowAbi,
  measureAbi,
  pomcAbi,
  progressAbi,
  proofWavesAbi,
  tokenAbi,
} from "./generated/abi.ts";

/** The ABI of each contract that services send transactions to. */
export const abis = {
  ComputeNode: computeNodeAbi,
  DockerContract: dockerContractAbi,
  Progress: progressAbi,
  Measure: measureAbi,
  ProofWaves: proofWavesAbi,
  Escrow: escrowAbi,
  Pomc: pomcAbi,
  Token: tokenAbi,
} as const;

export type Abis = typeof abis;
export type AbiName = keyof Abis;

/** The decoded custom error of a revert. `text` is the error in one line, for people. */
export type ChainReason = { name: string; args: Record<string, unknown>; text: string };

// A contract can bubble up another contract's error, so an error is looked up in all ABIs.
const errors = Object.values(abis as Record<AbiName, Abi>)
  .flat()
  .filter((item) => item.type === "error");

/**
 * Decodes the data of a revert or of an ItemRefused event.
 * An unknown error becomes `Unknown_<selector>`; data shorter than a selector becomes `Unexplained`.
 */
export function decodeReason(data: Hex): ChainReason {
  if (data.length < 10) return { name: "Unexplained", args: {}, text: "reverted without a reason" };
  const decoded = decode(data);
  if (decoded === undefined) {
    const name = `Unknown_${data.slice(0, 10)}`;
    return { name, args: {}, text: name };
  }
  const inputs = decoded.abiItem.type === "error" ? decoded.abiItem.inputs : [];
  const values = (decoded.args ?? []) as readonly unknown[];
  const args = Object.fromEntries(
    inputs.map((input, position) => [input.name || `${position}`, values[position]]),
  );
  const list = Object.entries(args).map(([name, value]) => `${name} ${plain(value)}`);
  return { name: decoded.errorName, args, text: `${decoded.errorName}(${list.join(", ")})` };
}

function decode(data: Hex) {
  try {
    return decodeErrorResult({ abi: errors, data });
  } catch (error) {
    if (error instanceof AbiErrorSignatureNotFoundError) return undefined;
    throw error;
  }
}

function plain(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return `{${Object.entries(value)
    .map(([name, item]) => `${name} ${plain(item)}`)
    .join(", ")}}`;
}
