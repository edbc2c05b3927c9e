import type { Address } from "viem";

/** The task of an indexer, passed to its process as JSON in the first argument. */
export type Task = {
  rpcUrl: string;
  databaseUrl: string;
  chainId: number;
  address: Address;
  /** Numbers of the first and last block. */
  startBlock: string;
  last: string;
  mode: "events" | "projections";
  /** A directory without projections. */
  emptyFolder: string;
};

export type Run = {
  milliseconds: number;
  peakMib?: number;
  /** Resident memory in MiB: at the start and after each quarter of the blocks. */
  rssMib?: number[];
};

/** Reads the task, in the indexer's process. */
export function readTask(): Task {
  return JSON.parse(process.argv[2] ?? "") as Task;
}

/** Prints the result as the last line of output, in the indexer's process. */
export function reportRun(run: Run): void {
  process.stdout.write(`${JSON.stringify(run)}\n`);
}
