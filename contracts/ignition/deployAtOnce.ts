import { abis } from "@ngpu/contracts-sdk/abis";
import type { ContractName } from "@ngpu/contracts-sdk/deployment";
import { managerAbi, pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import {
  type Abi,
  type Address,
  createPublicClient,
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  type Hex,
  http,
  type PrivateKeyAccount,
} from "viem";
import type { NgpuDeployment } from "./deploy.ts";
import type { NgpuParameters } from "./parameters.ts";
import { recordSteps } from "./steps.ts";

/** The compiler's output for a contract. */
export type Artifact = { abi: Abi; bytecode: Hex };

type Step = { name: string; to?: Address; data: Hex };

/** More than any step needs, and less than one transaction may use. */
const gas = 16_000_000n;
/** @deadline The embedded chain to execute all steps of a deployment. The start fails. */
const timeout = 300_000;

/**
 * Deploys the market to a new chain of this machine in one request: the same steps as with Ignition, whose round trips
 * take most of its time. It keeps no record, so an interrupted deployment cannot be resumed.
 *
 * @param options.url JSON-RPC endpoint of a chain that makes a block for each transaction as it arrives.
 * @param options.deployer Has ETH on the chain.
 * @param options.artifact The compiler's output by contract.
 * @throws FatalError `deployment_failed` when the chain rejects a step.
 */
export async function deployAtOnce(options: {
  url: string;
  deployer: PrivateKeyAccount;
  parameters: NgpuParameters;
  artifact: (name: ContractName) => Artifact;
}): Promise<NgpuDeployment> {
  const { url, deployer, parameters } = options;
  const client = createPublicClient({
    // A batch is executed in its order.
    transport: http(url, { batch: { batchSize: 1_000, wait: 0 }, retryCount: 0, timeout }),
    cacheTime: 0,
  });
  const [chainId, firstNonce, block] = await Promise.all([
    client.getChainId(),
    client.getTransactionCount({ address: deployer.address }),
    client.getBlock(),
  ]);
  const { steps, contracts } = stepsOf(options, firstNonce);
  // No block of a deployment is full, so the base fee does not rise.
  const maxFeePerGas = 2n * (block.baseFeePerGas ?? 1n);
  const transactions = await Promise.all(
    steps.map(({ to, data }, index) =>
      deployer.signTransaction({
        chainId,
        nonce: firstNonce + index,
        gas,
        maxFeePerGas,
        maxPriorityFeePerGas: 1n,
        data,
        ...(to === undefined ? {} : { to }),
      }),
    ),
  );
  const receipts = await Promise.allSettled(
    transactions.map(async (serializedTransaction) => {
      const hash = await client.sendRawTransaction({ serializedTransaction });
      const receipt = await client.getTransactionReceipt({ hash });
      if (receipt.status !== "success") throw new Error("the transaction reverted");
      return receipt;
    }),
  );
  const [first] = requireAll(steps, receipts);
  const genesis = await client.readContract({
    address: contracts.Pomc,
    abi: pomcAbi,
    functionName: "genesis",
  });
  return {
    chainId,
    startBlock: first?.blockNumber ?? block.number,
    contracts,
    parameters: { ...parameters, genesis },
    previous: [],
  };
}

/** The steps as transactions. The addresses of the contracts follow from the deployer's nonces. */
function stepsOf(
  { deployer, parameters, artifact }: Parameters<typeof deployAtOnce>[0],
  firstNonce: number,
): { steps: Step[]; contracts: Record<ContractName, Address> } {
  const steps: Step[] = [];
  // With the functions of second parts.
  const known = { AccessManager: managerAbi, ...abis } as unknown as Record<ContractName, Abi>;
  const abiAt = new Map<Address, Abi>();
  const contracts = recordSteps<Address, undefined, Address>(
    {
      deployer: deployer.address,
      contract: (name, args) => {
        const { abi, bytecode } = artifact(name);
        const nonce = BigInt(firstNonce + steps.length);
        const address = getContractAddress({ from: deployer.address, nonce });
        abiAt.set(address, known[name]);
        steps.push({ name, data: encodeDeployData({ abi, bytecode, args: [...args] }) });
        return address;
      },
      call: (to, functionName, args) => {
        const data = encodeFunctionData({ abi: abiAt.get(to) ?? [], functionName, args: [...args] });
        steps.push({ name: functionName, to, data });
        return undefined;
      },
    },
    parameters,
  );
  return { steps, contracts };
}

/** The results of all steps. @throws FatalError `deployment_failed` with the first step that failed. */
function requireAll<Result>(
  steps: readonly Step[],
  results: readonly PromiseSettledResult<Result>[],
): Result[] {
  const place = results.findIndex(({ status }) => status === "rejected");
  const failed = results[place];
  if (failed?.status !== "rejected")
    return results.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const [reason] = messageOf(failed.reason).split("\n");
  throw new FatalError(`The chain rejected the step ${steps[place]?.name} of the deployment: ${reason}`, {
    code: "deployment_failed",
    hint: "Check the parameters of the deployment, then start again on a new chain.",
    cause: failed.reason,
  });
}
