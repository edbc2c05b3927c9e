import { type Abi, decodeErrorResult, type Hex, toFunctionSelector } from "viem";
import {
  computeNodeAbi,
  dockerContractAbi,
  escrowAbi,
  measureAbi,
  pomcAbi,
  progressAbi,
  tokenAbi,
} from "./generated/abi.ts";

/** The ABI of each contract that services write to. */
export const abis = {
  ComputeNode: computeNodeAbi,
  DockerContract: dockerContractAbi,
  Progress: progressAbi,
  Measure: measureAbi,
  Escrow: escrowAbi,
  Pomc: pomcAbi,
  Token: tokenAbi,
} as const;

export type Abis = typeof abis;
export type AbiName = keyof Abis;

/** Why a contract refused: its custom error, decoded. `text` is the same in one line, for people. */
export type ChainReason = { name: string; args: Record<string, unknown>; text: string };

// One contract passes on the error of another, so a reason is looked up among the errors of all.
const errors = Object.values(abis as Record<AbiName, Abi>)
  .flat()
  .filter((item) => item.type === "error");
const known = new Set(errors.map((item) => toFunctionSelector(item as never)));

/** Decodes the data of a revert, or of an ItemRefused event. Never throws: an unknown error keeps its selector. */
export function decodeReason(data: Hex): ChainReason {
  const selector = data.slice(0, 10) as Hex;
  // 0x08c379a0: Error(string), 0x4e487b71: Panic(uint256)
  if (!known.has(selector) && selector !== "0x08c379a0" && selector !== "0x4e487b71") {
    const name = data === "0x" ? "Unexplained" : `Unknown_${selector}`;
    return { name, args: {}, text: data === "0x" ? "refused without a reason" : name };
  }
  const decoded = decodeErrorResult({ abi: errors, data });
  const inputs = decoded.abiItem.type === "error" ? decoded.abiItem.inputs : [];
  const values = (decoded.args ?? []) as readonly unknown[];
  const args = Object.fromEntries(inputs.map((input, place) => [input.name || `${place}`, values[place]]));
  const list = Object.entries(args).map(([name, value]) => `${name} ${plain(value)}`);
  return { name: decoded.errorName, args, text: `${decoded.errorName}(${list.join(", ")})` };
}

function plain(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  return `{${Object.entries(value)
    .map(([name, item]) => `${name} ${plain(item)}`)
    .join(", ")}}`;
}
