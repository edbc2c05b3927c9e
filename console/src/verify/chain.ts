import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { createClient, http } from "viem";

/** @deadline The RPC endpoint that the page verifies with. The page says that it did not answer. */
const timeout = 30_000;

/** Reads of an RPC endpoint, for the auditors' code. */
export const clientOf = (rpcUrl: string) =>
  createClient({ transport: http(rpcUrl, { timeout, retryCount: 1 }) });

/** The contracts as the market names them. */
export const deploymentOf = (stated: unknown) => parseDeployment(stated);

/** One step of a verification. The first that does not hold is the difference between what the market says and the chain. */
export type Check<Name extends string> = { name: Name; holds: boolean; detail: string };
