import { deployNgpu } from "@ngpu/contracts/ignition/deploy";
import type { NgpuParametersInput } from "@ngpu/contracts/ignition/parameters";
import {
  computeNodeAbi,
  dockerContractAbi,
  escrowAbi,
  managerAbi,
  measureAbi,
  pausesAbi,
  pomcAbi,
  progressAbi,
  proofWavesAbi,
  tokenAbi,
} from "@ngpu/contracts-sdk/generated/abi";
import { getAddress, getContract, keccak256, parseEther, type TransactionReceipt, toBytes } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { opChain } from "./chain.ts";

export type MarketFixture = Awaited<ReturnType<typeof marketFixture>>;

/** A key that is the same in every run; it signs without having an account on the chain. */
export function keyOf(name: string): PrivateKeyAccount {
  return privateKeyToAccount(keccak256(toBytes(`ngpu test ${name}`)));
}

const periods = {
  slotSeconds: 60,
  heartbeatWindowSeconds: 3_600,
  daySeconds: 86_400,
  uptimeDelay: 600,
  registrationLimit: 60,
  registrationSeconds: 3_600,
  epochSeconds: 3_600,
  activationDelay: 600,
  attestedDelay: 60,
  settlementSeconds: 0,
  measureLeadSeconds: 10,
  measureWindowSeconds: 300,
  measureTtlSeconds: 86_400,
  clockMarginSeconds: 120,
  lossFloor: 1_000,
  minSeconds: 1,
  lockFloor: 0n,
  startSeconds: 3_600,
  restSeconds: 60,
  refundDays: 1,
  waves: {
    stride: 2,
    chance: 1,
    fillBlocks: 6,
    chaseBlocks: 24,
    workBlocks: 8,
    commitBlocks: 8,
    revealBlocks: 8,
  },
};

/** Every contract, deployed as in a real deployment, with an account in each role. */
export async function marketFixture(changes: Partial<NgpuParametersInput> = {}) {
  const connection = await opChain();
  const wallets = await connection.viem.getWalletClients();
  const accounts = wallets.map((wallet) => getAddress(wallet.account.address));
  const [
    deployer,
    treasury,
    keeper,
    committer,
    poster,
    guardian,
    owner,
    delegate,
    outsider,
    unpauser,
    receiptsPoster,
    watcher,
  ] = accounts as [`0x${string}`, ...`0x${string}`[]] & Record<number, `0x${string}`>;
  if (
    !(
      treasury &&
      keeper &&
      committer &&
      poster &&
      guardian &&
      owner &&
      delegate &&
      outsider &&
      unpauser &&
      receiptsPoster &&
      watcher
    )
  ) {
    throw new Error("The simulated chain has too few accounts.");
  }
  const people = {
    deployer,
    treasury,
    keeper,
    committer,
    poster,
    guardian,
    owner,
    delegate,
    outsider,
    unpauser,
    receiptsPoster,
    watcher,
  };
  const deployment = await deployNgpu({
    connection,
    pollMs: 5,
    parameters: {
      ...periods,
      treasury,
      guardian,
      unpauser,
      delays: { unpauser: 3_600 },
      committers: [committer],
      acknowledgers: [keyOf("acknowledger").address],
      cosigners: [keyOf("cosigner").address],
      keepers: [keeper],
      witnesses: [keyOf("witness").address],
      measureKeepers: [keeper],
      poster,
      receiptsPoster,
      watchers: [watcher],
      quorum: 1,
      measureDraws: 8,
      openMeasurers: true,
      ...changes,
      emissionPerEpoch: parseEther("1000"),
      cap: parseEther("1000000"),
      genesisSupply: parseEther("100000"),
    },
  });
  const client = await connection.viem.getPublicClient();
  const wallet = wallets[0];
  if (wallet === undefined) throw new Error("The simulated chain has no accounts.");
  const use = <const Abi>(abi: Abi, name: keyof typeof deployment.contracts) => ({
    address: deployment.contracts[name],
    abi,
    client: { public: client, wallet },
  });
  const contracts = {
    computeNode: getContract(use(computeNodeAbi, "ComputeNode")),
    docker: getContract(use(dockerContractAbi, "DockerContract")),
    progress: getContract(use(progressAbi, "Progress")),
    measure: getContract(use(measureAbi, "Measure")),
    waves: getContract(use(proofWavesAbi, "ProofWaves")),
    escrow: getContract(use(escrowAbi, "Escrow")),
    pomc: getContract(use(pomcAbi, "Pomc")),
    token: getContract(use(tokenAbi, "Token")),
    manager: getContract(use(managerAbi, "AccessManager")),
  };
  const pausesOf = (name: keyof typeof deployment.contracts) => getContract(use(pausesAbi, name));
  const mined = async (hash: Promise<`0x${string}`>): Promise<TransactionReceipt> =>
    client.waitForTransactionReceipt({ hash: await hash });
  const { time } = connection.networkHelpers;
  return { connection, client, deployment, people, mined, time, pausesOf, ...contracts };
}

/** A deadline after the end of every test. */
export const later = 2n ** 47n;

const plain = () => marketFixture();

/** The fixture, from its snapshot after the first time. */
export async function loadMarket(fixture: () => Promise<MarketFixture> = plain): Promise<MarketFixture> {
  const { networkHelpers } = await opChain();
  return networkHelpers.loadFixture(fixture);
}
