import type { TransactionReceipt } from "viem";

/** False where the contracts carry what measures their tests, which costs gas and size of its own. */
export const isGasReal = process.env.NGPU_GAS_IS_REAL !== "no";

const rows: { act: string; gas: bigint }[] = [];

/** Notes what an act costs, a unit of a batch where `units` is given. */
export function noteGas(act: string, receipt: TransactionReceipt, units = 1): bigint {
  const gas = receipt.gasUsed / BigInt(units);
  rows.push({ act, gas });
  return gas;
}

/** Prints what was noted since the last time. */
export function printGas(): void {
  for (const { act, gas } of rows.splice(0)) {
    process.stdout.write(`      ${gas.toString().padStart(9)} gas  ${act}\n`);
  }
}
