import { Option } from "commander";

/** The wallet that signs. */
export const walletOption = (says: string) => new Option("--wallet <file>", says).env("NGPU_WALLET");
/** A key of a wallet that is no account on this machine. */
export const rpcOption = () =>
  new Option("--rpc-url <url>", "RPC endpoint of the chain (default: from the API)");
export const deploymentOption = () =>
  new Option(
    "--deployment <file>",
    "deployment file; with --rpc-url, the API is not asked (default: from the API)",
  );
export const timeoutOption = (says: string, standard: string) =>
  new Option("--timeout <duration>", says).default(standard);
