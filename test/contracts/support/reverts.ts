import { abis } from "@ngpu/contracts-sdk/abis";
import { computeNodeAbi, managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import { AssertionError, expect } from "chai";
import {
  type Abi,
  type Address,
  decodeErrorResult,
  type Hex,
  parseEventLogs,
  type TransactionReceipt,
} from "viem";
import { revertDataOf } from "../../../packages/tx-sender/revertReason.ts";

// One contract passes on the error of another, so a reason is decoded with the errors of all.
const errors = Object.values({ ...abis, managerAbi } as Record<string, Abi>)
  .flat()
  .filter((item) => item.type === "error");

function decode(data: Hex): { name: string; args: Record<string, unknown> } {
  const decoded = decodeErrorResult({ abi: errors, data });
  const inputs = decoded.abiItem.type === "error" ? decoded.abiItem.inputs : [];
  const values: readonly unknown[] = decoded.args ?? [];
  return {
    name: decoded.errorName,
    args: Object.fromEntries(inputs.map((input, place) => [input.name ?? String(place), values[place]])),
  };
}

export type Refusal = { index: number; name: string; args: Record<string, unknown> };

/** The refused items of a batch, in order. */
export function refusalsOf(receipt: TransactionReceipt): Refusal[] {
  return parseEventLogs({ abi: computeNodeAbi, eventName: "ItemRefused", logs: receipt.logs }).map(
    ({ args }) => {
      return { index: Number(args.index), ...decode(args.reason) };
    },
  );
}

/** Expects one refusal, of the first item, with these values. */
export function expectRefused(
  receipt: TransactionReceipt,
  name: string,
  args: Record<string, unknown> = {},
): void {
  const [first, ...more] = refusalsOf(receipt);
  expect(more).to.deep.equal([]);
  expect(first?.name).to.equal(name);
  expect(first?.args).to.deep.include(args);
}

/** Expects the call to revert with a custom error and these values. */
export async function expectRevert(
  call: Promise<unknown>,
  name: string,
  args: Record<string, unknown> = {},
): Promise<void> {
  const fault = await call.then(
    () => new AssertionError(`expected a revert with ${name}`),
    (error: unknown) => error,
  );
  const data: Hex | undefined = revertDataOf(fault);
  if (data === undefined) throw fault;
  const reason = decode(data);
  expect(reason.name).to.equal(name);
  expect(reason.args).to.deep.include(args);
}

/** The result of a call: the errors of its refused items, or the error of its revert; empty on success. */
export async function faultsOf(call: Promise<TransactionReceipt>): Promise<string[]> {
  const outcome = await call.then(
    (receipt) => refusalsOf(receipt).map(({ name }) => name),
    (error: unknown) => error,
  );
  if (Array.isArray(outcome)) return outcome;
  const data = revertDataOf(outcome);
  if (data === undefined) throw outcome;
  return [decode(data).name];
}

export const zeroAddress: Address = `0x${"0".repeat(40)}`;
export const zeroHash: Hex = `0x${"0".repeat(64)}`;
