import { join } from "node:path";
import { type ChainClient, chainOf, chainTransport, createChainClient } from "@ngpu/chain-reader/client";
import type { NgpuDeployment } from "@ngpu/contracts/ignition/deploy";
import type { NgpuParametersInput } from "@ngpu/contracts/ignition/parameters";
import { type ContractName, type Deployment, parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { trialCatalogue } from "@ngpu/rewards/catalogue";
import { toJson } from "@ngpu/runtime/json";
import {
  type Address,
  createWalletClient,
  type Hex,
  keccak256,
  parseEther,
  type TransactionReceipt,
  toBytes,
} from "viem";
import { mnemonicToAccount, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { startChain } from "../../../scripts/embedded/chain.ts";
import { deployCompiled } from "../../support/deploy.ts";
import { rootDir, stopAtEnd, testStateDir } from "../../support/parts.ts";
import { rpc } from "../../support/rpc.ts";
import { keepDeployed, readDeployed } from "./deployed.ts";

/** Token units that the treasury begins with. */
export const genesisSupply = parseEther("20000");

/** Accounts with ETH on the embedded chain. */
const people = [
  "deployer",
  "treasury",
  "workspace",
  "dispense",
  "owner",
  "relayer",
  "match",
  "receiptsPoster",
  "witness",
] as const;
type Person = (typeof people)[number];

const phrase = "test test test test test test test test test test test junk";
/** The private key of a named account. */
export function privateKeyOf(person: Person): Hex {
  const { privateKey } = mnemonicToAccount(phrase, { addressIndex: people.indexOf(person) }).getHdKey();
  if (privateKey === null) throw new Error(`${person} has no key.`);
  return `0x${Buffer.from(privateKey).toString("hex")}`;
}

/** The named accounts of the market. */
export const accounts = Object.fromEntries(
  people.map((person) => [person, privateKeyToAccount(privateKeyOf(person))]),
) as Record<Person, PrivateKeyAccount>;

/** A key that is the same in each run; its account has no ETH. */
export function nodeKey(name: string): PrivateKeyAccount {
  return privateKeyToAccount(keccak256(toBytes(`ngpu test node ${name}`)));
}

/** A chain with the market's contracts and no registrations or publications. */
export type TestChain = {
  url: string;
  client: ChainClient;
  deployment: Deployment;
  /** The deployment. */
  deployed: NgpuDeployment;
  /** Sends a call to a contract and waits for its receipt. */
  call: (person: Person, contract: ContractName, data: Hex) => Promise<TransactionReceipt>;
  /** Sends a call to any address, such as a replaced contract. */
  callAt: (person: Person, to: Address, data: Hex) => Promise<TransactionReceipt>;
  /** Advances the chain's clock by seconds and mines a block. */
  pass: (seconds: number) => Promise<void>;
};

/** `reset` undoes everything since the deployment. */
type SharedChain = { chain: TestChain; reset: () => Promise<void> };
let shared: Promise<SharedChain> | undefined;

/** The OP-stack simulation with all contracts deployed and one block per transaction; reset for each suite. */
export async function freshChain(): Promise<TestChain> {
  shared ??= openSharedChain();
  const { chain, reset } = await shared;
  await reset();
  return chain;
}

async function openSharedChain(): Promise<SharedChain> {
  const stateDir = await testStateDir();
  const { TEST_CHAIN_URL: given = "", TEST_CHAIN_DIR: dir = stateDir } = process.env;
  const url = given === "" ? await startOwnChain(stateDir) : given;
  await rpc(url, "evm_setIntervalMining", [0]);
  await rpc(url, "evm_setAutomine", [true]);
  const known = readDeployed(dir);
  const deployed = known?.deployed ?? (await deploy(url, join(dir, "ignition")));
  let snapshot = known?.snapshot ?? (await rpc(url, "evm_snapshot", []));
  const reset = async () => {
    if ((await rpc(url, "evm_revert", [snapshot])) !== true)
      throw new Error("The chain has no such snapshot.");
    snapshot = await rpc(url, "evm_snapshot", []);
    keepDeployed(dir, { deployed, snapshot });
    await setClock(url);
  };
  return { chain: chainAt(url, deployed), reset };
}

async function startOwnChain(stateDir: string): Promise<string> {
  const { url, stop } = await startChain({ rootDir, stateDir });
  stopAtEnd(stop);
  return url;
}

/** Sets the clock to now: a snapshot restores an older one, and not the seconds by which a suite advanced it. */
async function setClock(url: string): Promise<void> {
  const { timestamp } = (await rpc(url, "eth_getBlockByNumber", ["latest", false])) as { timestamp: Hex };
  const now = Math.max(Math.floor(Date.now() / 1000), Number(timestamp) + 1);
  await rpc(url, "evm_setNextBlockTimestamp", [now]);
  await rpc(url, "evm_mine", []);
}

/** The chain with the contracts of a deployment. */
export function chainAt(url: string, deployed: NgpuDeployment): TestChain {
  const deployment = parseDeployment(JSON.parse(toJson(deployed)));
  const client = createChainClient({ rpcUrls: [url], chainId: deployment.chainId });
  const callAt: TestChain["callAt"] = async (person, to, data) => {
    const account = accounts[person];
    // The services change the state between the estimate and the block.
    const gas = 2n * (await client.estimateGas({ account, to, data }));
    const hash = await walletOf(url, deployment.chainId, person).sendTransaction({ to, data, gas });
    const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 20 });
    if (receipt.status === "reverted") throw new Error(`A call of ${to} was reverted.`);
    return receipt;
  };
  const pass = async (seconds: number) => {
    await rpc(url, "evm_increaseTime", [seconds]);
    await rpc(url, "evm_mine", []);
  };
  const call: TestChain["call"] = (person, contract, data) =>
    callAt(person, deployment.contracts[contract], data);
  return { url, client, deployment, deployed, call, callAt, pass };
}

function walletOf(url: string, chainId: number, person: Person) {
  return createWalletClient({
    account: accounts[person],
    chain: chainOf(chainId),
    transport: chainTransport([url]),
  });
}

/** As the deployer. */
export async function connect(url: string, journalFolder: string) {
  // Most suites use contracts that an earlier one deployed, and need no Hardhat.
  const { connectHardhat } = await import("../../../scripts/hardhat.ts");
  const accounts = [privateKeyOf("deployer")];
  const { connection } = await connectHardhat({ rootDir, url, accounts, journal: journalFolder });
  return connection;
}

async function deploy(url: string, journalFolder: string): Promise<NgpuDeployment> {
  const made = await deployCompiled({ url, deployer: accounts.deployer, parameters });
  if (made !== undefined) return made;
  const { deployNgpu } = await import("@ngpu/contracts/ignition/deploy");
  const connection = await connect(url, journalFolder);
  const journal = { folder: journalFolder, id: "test" };
  const deployed = await deployNgpu({ connection, pollMs: 10, journal, parameters });
  await connection.close();
  return deployed;
}

const address = (person: Person): Address => accounts[person].address;
const parameters: NgpuParametersInput = {
  treasury: address("treasury"),
  guardian: address("deployer"),
  committers: [],
  acknowledgers: [],
  keepers: [address("workspace"), address("dispense"), address("match")],
  witnesses: [address("witness")],
  measureKeepers: [],
  poster: address("deployer"),
  receiptsPoster: address("receiptsPoster"),
  quorum: 1,
  slotSeconds: 60,
  heartbeatWindowSeconds: 600,
  daySeconds: 3_600,
  uptimeDelay: 60,
  measureWindowSeconds: 300,
  measureTtlSeconds: 86_400,
  clockMarginSeconds: 5,
  minSeconds: 1,
  lockFloor: 0n,
  epochSeconds: 3_600,
  settlementSeconds: 120,
  activationDelay: 60,
  rewardTerms: {
    measurerBasisPoints: 0,
    taskBasisPoints: 0,
    bond: parseEther("13"),
    bondEpochs: 0,
    bondDays: 2,
    bondUptimePermille: 250,
    // No node of these tests proves its hardware: each counts as the newcomer of a trial, with a quarter of a core.
    catalogue: trialCatalogue,
    classes: [{ weight: 1_000_000n, rate: 32n * 10n ** 15n, ceiling: 2n ** 63n }],
  },
  emissionPerEpoch: parseEther("1000"),
  cap: parseEther("1000000"),
  genesisSupply,
};
