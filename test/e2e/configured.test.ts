import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import { privateKeyToAccount } from "viem/accounts";
import { startChain } from "../../scripts/embedded/chain.ts";
import { createDatabase, dropDatabase } from "../../scripts/embedded/databases.ts";
import { fund } from "../support/chain.ts";
import { rootDir } from "../support/parts.ts";
import { testCluster } from "../support/postgres.ts";
import { createTestRedis } from "../support/redis.ts";
import { endStarted, lastLine, leftovers, npmStart, removeDir, stateDir } from "./market.ts";
import { failureSchema, journeySchema } from "./result.ts";

// A key and a chain of this test only.
const deployerKey = `0x${"5a".repeat(32)}` as const;
const periods = {
  "--slot-seconds": 4,
  "--epoch-seconds": 20,
  "--activation-seconds": 4,
  // Epochs are posted once their heartbeats can no longer change.
  "--heartbeat-window-seconds": 20,
  "--measure-lead-seconds": 6,
  "--measure-window-seconds": 30,
  "--measure-ttl-seconds": 600,
};

describe("npm start with the user's own chain, Postgres and Redis", function () {
  this.timeout(300_000);
  const dir = stateDir();
  const parts = stateDir();
  const stops: (() => Promise<void>)[] = [];
  let env: Record<string, string>;
  let chainUrl: string;
  const journeys: ReturnType<typeof journeySchema.parse>[] = [];

  before(async () => {
    const chain = await startChain({ rootDir, stateDir: parts });
    stops.push(chain.stop);
    chainUrl = chain.url;
    const cluster = await testCluster();
    const name = "ngpu_e2e_configured";
    await dropDatabase(cluster, name);
    const database = await createDatabase(cluster, name);
    stops.push(() => dropDatabase(cluster, name));
    env = {
      CHAIN_RPC_URLS: chain.url,
      DEPLOYER_KEY: deployerKey,
      DATABASE_ADMIN_URL: database,
      REDIS_URL: await createTestRedis(),
    };
  });
  after(async () => {
    await endStarted();
    for (const stop of stops.reverse()) await stop();
    removeDir(dir);
    removeDir(parts);
  });

  const flags = (over: Partial<typeof periods> = {}) =>
    Object.entries({ ...periods, ...over }).flatMap(([option, seconds]) => [option, String(seconds)]);
  const run = async (...args: string[]) => {
    const start = npmStart(["--once", "--json", "--state-dir", dir, ...args], env);
    const { code } = await start.ended;
    return { code, stderr: start.stderr(), result: lastLine(start.stdout()) };
  };
  const walk = async (...args: string[]) => {
    const { code, stderr, result } = await run(...args);
    expect(code, stderr).to.equal(0);
    journeys.push(journeySchema.parse(result));
    expect(await leftovers(dir)).to.deep.equal([]);
  };
  const deployment = () => parseDeployment(JSON.parse(readFileSync(join(dir, "deployment.json"), "utf8")));

  it("reports how much ETH the deployer lacks, and deploys nothing", async () => {
    const { code, result } = await run(...flags());
    expect(code).to.equal(1);
    const { failedStep, error } = failureSchema.parse(result);
    expect(failedStep).to.equal("contracts");
    expect(error).to.include(privateKeyToAccount(deployerKey).address).and.to.include("has 0 ETH");
    expect(error).to.include("Send it ETH on this chain");
  });

  it("completes the journey on them", async () => {
    await fund(chainUrl, [privateKeyToAccount(deployerKey).address]);
    await walk(...flags());
    expect(deployment().parameters).to.include({ slotSeconds: 4, epochSeconds: 20, activationDelay: 4 });
  });

  it("completes it again on the same contracts and data", async () => {
    const before = deployment();
    // Without options, the periods of the deployment apply.
    await walk();
    expect(deployment()).to.deep.equal(before);
    const [first, second] = journeys;
    expect(second?.node).to.deep.equal(first?.node);
    expect(Number(second?.workspace.id)).to.be.greaterThan(Number(first?.workspace.id));
    expect(Number(second?.epoch.number)).to.be.greaterThan(Number(first?.epoch.number));
    expect(second?.claim.txHash).not.to.equal(first?.claim.txHash);
  });

  it("rejects other periods after the deployment", async () => {
    const { code, result } = await run("--epoch-seconds", "40");
    expect(code).to.equal(1);
    const { failedStep, error } = failureSchema.parse(result);
    expect(failedStep).to.equal("contracts");
    expect(error).to.include("deployed with --epoch-seconds 20, not 40");
  });

  it("reports that the chain was reset under the same id", async () => {
    const other = await startChain({ rootDir, stateDir: parts });
    stops.push(other.stop);
    env = { ...env, CHAIN_RPC_URLS: other.url };
    const { failedStep, error } = failureSchema.parse((await run()).result);
    expect(failedStep).to.equal("contracts");
    expect(error).to.include("no longer has the contracts that were deployed to it from here");
  });
});
