import type { Address } from "viem";

/** What one indexer is to do, passed to its process in TASK. */
export type Task = {
  rpcUrl: string;
  databaseUrl: string;
  chainId: number;
  address: Address;
  /** Numbers of the first and the last block. */
  startBlock: string;
  last: string;
  mode: "events" | "projections";
  /** A folder without projections. */
  emptyFolder: string;
};

export type Run = {
  milliseconds: number;
  peakMib?: number;
  /** Resident memory at the start, after each quarter of the blocks, and so at the end. */
  rssMib?: number[];
};

/** In the indexer's process: what it is to do. */
export function readTask(): Task {
  return JSON.parse(process.argv[2] ?? "") as Task;
}

/** In the indexer's process: its last line. */
export function reportRun(run: Run): void {
  process.stdout.write(`${JSON.stringify(run)}\n`);
}
