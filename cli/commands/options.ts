import { type Command, Option } from "commander";

/** The wallet that signs. */
export const walletOption = (says: string) => new Option("--wallet <file>", says).env("NGPU_WALLET");
/** A key of a wallet that is no account on this machine. */
export const rpcOption = () =>
  new Option("--rpc-url <url>", "RPC endpoint of the chain (default: from the API)");
export const databaseDefault = "(default: DATABASE_URL, or that of `npm start` in this directory)";
export const deploymentOption = () =>
  new Option(
    "--deployment <file>",
    "deployment file; with --rpc-url, the API is not asked (default: from the API)",
  );
export const timeoutOption = (says: string, standard: string) =>
  new Option("--timeout <duration>", says).default(standard);

/** How replicas follow the requests in progress, beside a range of their number. */
export const addScalingOptions = (command: Command) =>
  command
    .option(
      "--target <count>",
      "of a range: requests in progress for which there is one replica (default: 1)",
    )
    .option(
      "--idle <time>",
      "of a range: how long fewer must have been enough before there are fewer (default: 5m)",
    )
    .option("--wait <time>", "of a range: how long a request waits for a replica (default: 5m)")
    .option("--stop-at <time>", "of a range: ISO 8601 time from which on there are none");
