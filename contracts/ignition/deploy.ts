import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { FatalError } from "@ngpu/runtime/errors";
import type {} from "@nomicfoundation/hardhat-ignition-viem";
import type { NetworkConnection } from "hardhat/types/network";
import type { Address } from "viem";
import { contractNames } from "./constructors.ts";
import { ngpuModule } from "./Ngpu.ts";
import { type NgpuParameters, type NgpuParametersInput, parseParameters } from "./parameters.ts";
import type { Succession } from "./successionParameters.ts";

/** The addresses and parameters of a deployment. */
export type NgpuDeployment = {
  chainId: number;
  /** First block that can hold an event of the market. */
  startBlock: bigint;
  contracts: Record<(typeof contractNames)[number], Address>;
  /** With the contract's `genesis`. */
  parameters: ReturnType<typeof parseParameters>;
  /** Replaced contracts, oldest first. Each runs next to its successor until its last lease and claim. */
  previous: PreviousContracts[];
};

export type PreviousContracts = {
  succession: Succession;
  contracts: Partial<NgpuDeployment["contracts"]>;
  parameters: NgpuParameters;
};

/**
 * Deploys the market with Hardhat Ignition, or resumes an interrupted deployment. A complete deployment is only read.
 * The connection's first account deploys.
 *
 * @param pollMs Interval of polling for a new block, milliseconds.
 * @param journal Folder of Ignition's deployments and the deployment's id in it; none on a simulated network.
 * @param reset Delete the journal first, for a new chain.
 * @throws FatalError `parameters_invalid`, `deployer_role_forbidden` or `contract_not_found`.
 */
export async function deployNgpu(options: {
  connection: NetworkConnection<"op">;
  parameters: NgpuParametersInput;
  pollMs?: number;
  journal?: { folder: string; id: string };
  reset?: boolean;
}): Promise<NgpuDeployment> {
  const { connection, journal } = options;
  const parameters = parseParameters(options.parameters);
  const journalFile = journal && join(journal.folder, "deployments", journal.id, "journal.jsonl");
  if (options.reset && journalFile) rmSync(join(journalFile, ".."), { recursive: true, force: true });
  const client = await connection.viem.getPublicClient();
  const [chainId, head] = await Promise.all([client.getChainId(), client.getBlockNumber()]);
  const [wallet] = await connection.viem.getWalletClients();
  requireOtherDeployer(parameters, wallet?.account.address);
  const deployed: Record<string, { address: Address }> = await connection.ignition.deploy(
    ngpuModule(parameters),
    {
      config: { requiredConfirmations: 1, blockPollingInterval: options.pollMs ?? 250 },
      ...(journal ? { deploymentId: journal.id } : {}),
    },
  );
  const contracts = Object.fromEntries(
    contractNames.map((name) => [name, deployed[name]?.address]),
  ) as NgpuDeployment["contracts"];
  if ((await client.getCode({ address: contracts.Pomc })) === undefined) {
    throw new FatalError(`The deployed contracts are not on chain ${chainId}.`, {
      code: "contract_not_found",
      hint: "If the chain was restarted under the same id, deploy with --reset.",
    });
  }
  const genesis = await client.readContract({
    address: contracts.Pomc,
    abi: pomcAbi,
    functionName: "genesis",
  });
  const startBlock = journalFile ? firstBlockOf(journalFile) : head + 1n;
  return { chainId, startBlock, contracts, parameters: { ...parameters, genesis }, previous: [] };
}

function requireOtherDeployer(parameters: NgpuParameters, deployer: Address | undefined): void {
  const { admin, operations, unpauser } = parameters;
  const holdsRole = [admin, operations, unpauser].some(
    (account) => account?.toLowerCase() === deployer?.toLowerCase(),
  );
  if (admin !== undefined && holdsRole) {
    throw new FatalError(
      `${deployer} is the deployer and cannot hold a role: the deployer gives up every role.`,
      {
        code: "deployer_role_forbidden",
        hint: "Deploy from another account, or assign the role to another account.",
      },
    );
  }
}

/** The block of the deployment's first transaction, from Ignition's journal: the same on every run. */
function firstBlockOf(journalFile: string): bigint {
  if (!existsSync(journalFile)) throw new Error(`Ignition wrote no journal at ${journalFile}.`);
  const blocks = readFileSync(journalFile, "utf8")
    .split("\n")
    .filter((line) => line.includes('"TRANSACTION_CONFIRM"'))
    .map((line) => (JSON.parse(line) as { receipt: { blockNumber: number } }).receipt.blockNumber);
  return BigInt(Math.min(...blocks));
}
