import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createChainClient } from "@ngpu/chain-reader/client";
import { artifactOf } from "@ngpu/contracts/ignition/constructors";
import { type Artifact, deployAtOnce } from "@ngpu/contracts/ignition/deployAtOnce";
import { parseParameters } from "@ngpu/contracts/ignition/parameters";
import { abis } from "@ngpu/contracts-sdk/abis";
import { type Deployment, parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import { toJson } from "@ngpu/runtime/json";
import { expect } from "chai";
import { type Abi, parseEventLogs } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { COMPILED } from "../../scripts/bootstrap/compiled.mjs";
import { startChain } from "../../scripts/embedded/chain.ts";
import { runToEnd } from "../../scripts/embedded/command.ts";
import { fund } from "../support/chain.ts";
import { rootDir, stopAtEnd, testStateDir } from "../support/parts.ts";
import { rpc } from "../support/rpc.ts";

const newAccount = () => privateKeyToAccount(generatePrivateKey()).address;

/** A market whose deployer keeps all roles, as the embedded one, and one whose deployer gives up all. */
const owned = {
  guardian: newAccount(),
  treasury: newAccount(),
  poster: newAccount(),
  committers: [newAccount()],
  acknowledgers: [newAccount()],
  keepers: [newAccount(), newAccount()],
  measureKeepers: [newAccount()],
  openMeasurers: true,
  delays: { admin: 0, operations: 0, unpauser: 0 },
  slotSeconds: 3,
  epochSeconds: 3,
  activationDelay: 1,
  clockMarginSeconds: 120,
  quorum: 1,
  measureWindowSeconds: 30,
  measureTtlSeconds: 600,
  emissionPerEpoch: "1000",
  cap: "1000000",
  genesisSupply: "1000",
};
const governed = { ...owned, admin: newAccount(), operations: newAccount(), unpauser: newAccount() };

const artifact = (name: Parameters<typeof artifactOf>[0]): Artifact => {
  const compiled = artifactOf(name);
  const file = join(rootDir, COMPILED, "contracts", `${compiled}.sol`, `${compiled}.json`);
  return JSON.parse(readFileSync(file, "utf8"));
};

describe("a deployment in one request, on a real node", function () {
  this.timeout(240_000);
  let url: string;
  let folder: string;

  before(async () => {
    folder = await testStateDir();
    const chain = await startChain({ rootDir, stateDir: folder });
    stopAtEnd(chain.stop);
    url = chain.url;
    await rpc(url, "evm_setAutomine", [true]);
  });

  const run = async (script: string, args: string[], key = generatePrivateKey()) => {
    const env = { ...process.env, NO_COLOR: "1", DEPLOYER_KEY: key };
    const file = join(rootDir, "scripts", script);
    const { code, output } = await runToEnd(process.execPath, [file, "--rpc-url", url, ...args], {
      cwd: rootDir,
      env,
    });
    expect(code, output).to.equal(0);
    return output;
  };

  /** All events of a deployment in their order by contract, with names for addresses and without times. */
  const eventsOf = async ({ contracts, startBlock, chainId }: Deployment, deployer: string) => {
    const client = createChainClient({ rpcUrls: [url], chainId });
    const logs = await client.getLogs({ address: Object.values(contracts), fromBlock: startBlock });
    const abi = [...managerAbi, ...Object.values(abis).flat()] as Abi;
    const names = new Map(Object.entries(contracts).map(([name, at]) => [at.toLowerCase(), name]));
    names.set(deployer.toLowerCase(), "deployer");
    return parseEventLogs({ abi, logs })
      .map(({ address, eventName, args }) => {
        const { since: _, ...facts } = args as unknown as Record<string, unknown>;
        return toJson([names.get(address.toLowerCase()), eventName, facts]).replace(
          /0x[0-9a-f]{40}(?=")/gi,
          (at) => names.get(at.toLowerCase()) ?? at,
        );
      })
      .sort();
  };

  for (const [title, input] of Object.entries({ owned, governed })) {
    it(`gives the same ${title} market as Ignition`, async () => {
      const [key, otherKey] = [generatePrivateKey(), generatePrivateKey()];
      const [deployer, other] = [privateKeyToAccount(key), privateKeyToAccount(otherKey)];
      await fund(url, [deployer.address, other.address]);
      const parameters = join(folder, `${title}.json`);
      writeFileSync(parameters, JSON.stringify(input));
      const files = (name: string) => [
        "--parameters",
        parameters,
        "--out",
        join(folder, `${title}-${name}.json`),
        "--journal",
        join(folder, `${title}-${name}-journal`),
      ];
      const read = (name: string) =>
        parseDeployment(JSON.parse(readFileSync(join(folder, `${title}-${name}.json`), "utf8")));
      const made = await deployAtOnce({ url, deployer, parameters: parseParameters(input), artifact });
      writeFileSync(join(folder, `${title}-once.json`), toJson(made));
      await run("deploy.ts", [...files("ignition"), "--reset", "--poll-ms", "25"], otherKey);
      // Code, immutables, connections and roles.
      await run("deployCheck.ts", files("once"));
      const [mine, ignitions] = [read("once"), read("ignition")];
      expect(await eventsOf(mine, deployer.address)).to.deep.equal(await eventsOf(ignitions, other.address));
      expect(Object.keys(mine.contracts)).to.deep.equal(Object.keys(ignitions.contracts));
      const { genesis: _, ...own } = mine.parameters;
      const { genesis: __, ...theirs } = ignitions.parameters;
      expect(own).to.deep.equal(theirs);
    });
  }

  it("fails with the first step that the chain rejects", async () => {
    const deployer = privateKeyToAccount(generatePrivateKey());
    await fund(url, [deployer.address]);
    // The contract rejects days that are not whole slots.
    const parameters = { ...parseParameters(owned), daySeconds: 4 };
    const failure = await deployAtOnce({ url, deployer, parameters, artifact }).catch((error) => error);
    expect(failure).to.have.property("code", "deployment_failed");
    expect(failure.message).to.include("the step ComputeNode");
  });
});
