import { join } from "node:path";
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import { type Abi, getContract, type Hex, toHex } from "viem";
import config from "../../../../hardhat.config.ts";
import type { MarketFixture } from "../../../contracts/support/market.ts";
import { config as workspaceConfig, workspaceSpec } from "../../../contracts/support/workspaces.ts";
import { costOf } from "../meter.ts";
import type { Peer, Peers } from "./peer.ts";

const here = import.meta.dirname;
const root = join(here, "../../../..");
const plain = "a plain OpenZeppelin contract, one transaction each";

/** Compiles the peers, which no deployment needs, and returns a function that deploys them on the market's chain. */
async function deployer(market: MarketFixture) {
  const paths = {
    sources: { solidity: here },
    artifacts: join(root, "artifacts/bench"),
    cache: join(root, "cache/bench"),
  };
  const hre = await createHardhatRuntimeEnvironment({ ...config, paths }, {}, root);
  await hre.tasks.getTask("build").run({ quiet: true, noTests: true });
  const [wallet] = await market.connection.viem.getWalletClients();
  if (wallet === undefined) throw new Error("The simulated chain has no accounts.");
  return async (name: string) => {
    const { abi, bytecode } = await hre.artifacts.readArtifact(name);
    const hash = await wallet.deployContract({ abi: abi as Abi, bytecode: bytecode as Hex });
    const { contractAddress } = await market.client.waitForTransactionReceipt({ hash });
    if (!contractAddress) throw new Error(`${name} was not deployed.`);
    return getContract({
      address: contractAddress,
      abi: abi as Abi,
      client: { public: market.client, wallet },
    });
  };
}

/** Costs of the same acts in plain contracts from OpenZeppelin's parts, by our act's id. */
export async function measurePlain(market: MarketFixture): Promise<Peers> {
  const deploy = await deployer(market);
  return { ...(await marketPeers(market, deploy)), ...(await claimPeers(market, deploy)) };
}

type Deploy = Awaited<ReturnType<typeof deployer>>;
type Write = Record<string, (args: unknown[], options?: object) => Promise<Hex>>;

async function marketPeers(market: MarketFixture, deploy: Deploy): Promise<Peers> {
  const contract = (await deploy("PlainMarket")).write as unknown as Write;
  const { deployer: self } = market.people;
  const call = (name: string, ...args: unknown[]) => contract[name]?.(args) as Promise<Hex>;
  const gas = async (...hashes: Hex[]) => (await costOf(market, hashes)).gas;
  const node = {
    wallet: self,
    gpuName: "NVIDIA H200",
    vramMib: 1n,
    cpuMilli: 1n,
    memoryMib: 1n,
    pricePerSecond: 1n,
    active: true,
  };
  const register = await gas(await call("register", node));
  await call("heartbeat");
  const heartbeat = await gas(await call("heartbeat"));
  const { image, resources } = workspaceSpec;
  const workspace = {
    owner: self,
    image,
    cpuMilli: resources.cpuMilli,
    memoryMib: resources.memoryMib,
    maxPricePerSecond: 1_000n,
    config: workspaceConfig,
  };
  await call("publish", workspace);
  const placed = await gas(
    await call("publish", workspace),
    await call("assign", 2n, self, 5n),
    await call("start", 2n),
  );
  const report = await gas(await call("report", 2n, 3n));
  const first = await gas(await call("progress", 2n, 1n));
  const later = await gas(await call("progress", 2n, 2n));
  const peer = (gasPerUnit: number): Peer[] => [{ name: plain, gasPerUnit, source: "measured" }];
  return {
    "register-50": peer(register),
    "register-50-gpu": peer(register),
    ...Object.fromEntries(
      ["10k-0", "10k-2", "10k-20", "100k-0", "100k-2", "100k-20"].map((name) => [
        `heartbeat-${name}`,
        peer(heartbeat),
      ]),
    ),
    "publish-assign-start-50": peer(placed),
    "report-state-50": peer(report),
    "progress-first-50": peer(first),
    "progress-later-50": peer(later),
  };
}

async function claimPeers(market: MarketFixture, deploy: Deploy): Promise<Peers> {
  const contract = (await deploy("PlainDistributor")).write as unknown as Write;
  const call = (name: string, ...args: unknown[]) => contract[name]?.(args) as Promise<Hex>;
  const gas = async (hash: Hex) => (await costOf(market, [hash])).gas;
  const accounts = Array.from({ length: 131_072 }, (_, place) => toHex(place + 2 ** 40, { size: 20 }));
  const treeOf = (times: bigint) =>
    StandardMerkleTree.of(
      accounts.map((account): [string, string] => [account, String(times * 1_234_567_890_123_456n)]),
      ["address", "uint256"],
    );
  const claim = (tree: ReturnType<typeof treeOf>, times: bigint, place: number) =>
    call("claim", accounts[place], times * 1_234_567_890_123_456n, tree.getProof(place));
  const first = treeOf(1n);
  await call("transfer", accounts[0], 1n);
  const setRoot = await gas(await call("setRoot", first.root));
  const existing = await gas(await claim(first, 1n, 0));
  const fresh = await gas(await claim(first, 1n, 1));
  const second = treeOf(2n);
  await call("setRoot", second.root);
  const repeat = await gas(await claim(second, 2n, 0));
  const transfer = await gas(await call("transfer", accounts[0], 5n));
  const peer = (name: string, gasPerUnit: number): Peer[] => [{ name, gasPerUnit, source: "measured" }];
  const distributor = "OpenZeppelin's MerkleProof and ERC20: 256-bit nodes, prefunded";
  return {
    "post-epoch-100k": peer(`${distributor}, without delay or disable`, setRoot / 100_000),
    "claim-repeat": peer(distributor, repeat),
    "claim-first-existing": peer(distributor, existing),
    "claim-fresh": peer(distributor, fresh),
    "claim-many-500": peer("one ERC-20 transfer a payee", transfer),
  };
}
