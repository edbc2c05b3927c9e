import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ChainClient, createChainClient } from "@ngpu/chain-reader/client";
import type { Succession } from "@ngpu/contracts/ignition/successionParameters";
import { type Deployment, parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { toJson } from "@ngpu/runtime/json";
import { createTestClient, http, parseEther } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { startChain, withAutomine } from "../../scripts/embedded/chain.ts";
import { runToEnd } from "../../scripts/embedded/command.ts";
import { deployCompiled } from "./deploy.ts";
import { rootDir, stopAtEnd, testStateDir } from "./parts.ts";

export type TestMarket = {
  rpcUrl: string;
  client: ChainClient;
  deployment: Deployment;
  deploymentFile: string;
  /** Committer, keeper, measure keeper and poster. It also holds the genesis supply. */
  keeper: PrivateKeyAccount;
  keeperKey: `0x${string}`;
  /** Keys that have one power each, as the parts of match have them; the relayer has none. */
  powers: Record<Power, `0x${string}`>;
  /** Deploys successors beside the contracts. Updates `deployment` and its file. */
  replace: (succession: Succession) => Promise<void>;
  /** Stops the chain before the end of the run. */
  stop: () => Promise<void>;
};

const powerNames = [
  "relayer",
  "acknowledger",
  "committer",
  "keeper",
  "witness",
  "cosigner",
  "measureKeeper",
] as const;
export type Power = (typeof powerNames)[number];

/** Short periods for tests, in seconds. */
const periods = {
  slotSeconds: 4,
  epochSeconds: 20,
  activationDelay: 2,
  measureLeadSeconds: 6,
  measureWindowSeconds: 20,
  measureTtlSeconds: 600,
  clockMarginSeconds: 1,
  minSeconds: 1,
  lockFloor: 0,
  startSeconds: 3_600,
  restSeconds: 60,
  refundDays: 1,
};

export type TestPeriods = Partial<typeof periods> & { waves?: Partial<Deployment["parameters"]["waves"]> };

/**
 * Starts an OP-stack simulation with one block per second and deploys the contracts of this checkout on it. It stops at
 * the end of the mocha run.
 */
export async function startTestMarket(given: TestPeriods = {}): Promise<TestMarket> {
  const stateDir = await testStateDir();
  const chain = await startChain({ rootDir, stateDir });
  stopAtEnd(chain.stop);
  const deployerKey = generatePrivateKey();
  const keeperKey = generatePrivateKey();
  const powers = Object.fromEntries(
    powerNames.map((name) => [name, generatePrivateKey()]),
  ) as TestMarket["powers"];
  const deployer = privateKeyToAccount(deployerKey);
  const keeper = privateKeyToAccount(keeperKey);
  const addressOf = (power: Power) => privateKeyToAccount(powers[power]).address;
  await fund(chain.url, [deployer.address, keeper.address, ...powerNames.map(addressOf)]);
  const parametersFile = join(stateDir, `parameters-${chain.port}.json`);
  const deploymentFile = join(stateDir, `deployment-${chain.port}.json`);
  const parameters = { ...parametersFor(keeper.address, addressOf), ...given };
  writeFileSync(parametersFile, JSON.stringify(parameters));
  const files = ["--parameters", parametersFile, "--out", deploymentFile, "--poll-ms", "20"];
  // A separate journal, because other suites deploy to chains with the same id at the same time.
  const journal = ["--journal", join(stateDir, `ignition-${chain.port}`)];
  const mining = { url: chain.url, signal: new AbortController().signal };
  const deploy = async (...options: string[]): Promise<Deployment> => {
    const args = [join(rootDir, "scripts/deploy.ts"), "--rpc-url", chain.url, ...files, ...options];
    const run = () =>
      runToEnd(process.execPath, args, { cwd: rootDir, env: { ...process.env, DEPLOYER_KEY: deployerKey } });
    const { code, output } = await withAutomine(mining, run);
    if (code !== 0) throw new Error(`The contracts could not be deployed:\n${output}`);
    return parseDeployment(JSON.parse(readFileSync(deploymentFile, "utf8")));
  };
  const made = await withAutomine(mining, () => deployCompiled({ url: chain.url, deployer, parameters }));
  if (made !== undefined) writeFileSync(deploymentFile, toJson(made));
  const deployment =
    made === undefined ? await deploy(...journal, "--reset") : parseDeployment(JSON.parse(toJson(made)));
  const client = createChainClient({ rpcUrls: [chain.url], chainId: deployment.chainId });
  const market: TestMarket = {
    rpcUrl: chain.url,
    client,
    deployment,
    deploymentFile,
    keeper,
    keeperKey,
    powers,
    stop: chain.stop,
    replace: async (succession) => {
      const generation = market.deployment.previous.length + 2;
      const replacing = ["--replace", succession, "--generation", String(generation)];
      market.deployment = await deploy(...journal, ...replacing);
    },
  };
  return market;
}

/** Deployment parameters in which one account has every role, and others have one power each. */
function parametersFor(address: `0x${string}`, addressOf: (power: Power) => `0x${string}`) {
  return {
    ...periods,
    treasury: address,
    guardian: address,
    operations: address,
    poster: address,
    committers: [address, addressOf("committer")],
    acknowledgers: [addressOf("acknowledger")],
    cosigners: [addressOf("cosigner")],
    keepers: [address, addressOf("keeper")],
    witnesses: [addressOf("witness")],
    measureKeepers: [address, addressOf("measureKeeper")],
    quorum: 1,
    openMeasurers: true,
    emissionPerEpoch: "1000",
    cap: parseEther("1000000000").toString(),
    genesisSupply: parseEther("1000000").toString(),
  };
}

/** Sets the balance of accounts to 100 ETH. */
export async function fund(rpcUrl: string, addresses: `0x${string}`[]): Promise<void> {
  const test = createTestClient({ mode: "hardhat", transport: http(rpcUrl) });
  for (const address of addresses) await test.setBalance({ address, value: parseEther("100") });
}
