import type { TransactionReceipt } from "viem";

/** False when the contracts are instrumented, which costs additional gas and size. */
export const isGasReal = process.env.NGPU_GAS_IS_REAL !== "no";

const rows: { act: string; gas: bigint }[] = [];

/** Records the gas of an act, per unit of a batch when `units` is given. */
export function noteGas(act: string, receipt: TransactionReceipt, units = 1): bigint {
  const gas = receipt.gasUsed / BigInt(units);
  rows.push({ act, gas });
  return gas;
}

/** Prints the records since the last call. */
export function printGas(): void {
  for (const { act, gas } of rows.splice(0)) {
    process.stdout.write(`      ${gas.toString().padStart(9)} gas  ${act}\n`);
  }
}
