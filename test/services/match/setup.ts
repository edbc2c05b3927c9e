import { createServer } from "node:net";
import { join } from "node:path";
import { createPool, type Database } from "@ngpu/db/pool";
import { createSender, type Sender } from "@ngpu/tx-sender/send";
import { privateKeyToAccount } from "viem/accounts";
import { type RunningProcess, startProcess } from "../../../scripts/embedded/process.ts";
import { fund, type Power, startTestMarket, type TestMarket } from "../../support/chain.ts";
import { rootDir, testStateDir } from "../../support/parts.ts";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.ts";
import { programEnv } from "../../support/programEnv.ts";
import { createTestRedis } from "../../support/redis.ts";
import { asRole, createTestContext, type TestContext } from "../support/context.ts";
import { type ChainActions, createChainActions } from "./chainActions.ts";

export const probeImage = `example/probe@sha256:${"a".repeat(64)}`;
// Any key works: the test chain funds it, and it has no keeper role.
export const partnerKey = `0x${"11".repeat(32)}` as const;

export type Match = {
  url: string;
  httpUrl: string;
  process: RunningProcess;
  kill: () => Promise<void>;
};

export type TestMatch = {
  market: TestMarket;
  database: TestDatabase;
  db: Database;
  redisUrl: string;
  context: TestContext;
  /** Sends with the keeper account of match. */
  keeper: Sender;
  /** Actions of a partner on the chain. */
  chain: ChainActions;
  /** Starts another service as a separate process, with its database role. */
  startService: (
    service: "dispense" | "workspace",
    name: string,
    env?: Record<string, string>,
  ) => Promise<RunningProcess>;
  /** Restarts autoExport and creates new senders, for the contracts in use now. */
  readDeployment: () => Promise<{ keeper: Sender; chain: ChainActions }>;
  /** Starts an instance of match as a separate process, with its database role. */
  startMatch: (instance: string, env?: Record<string, string>, powers?: readonly Power[]) => Promise<Match>;
  stop: () => Promise<void>;
};

/** Starts what match needs: a chain with contracts, Postgres with autoExport, and Redis. */
export async function setupMatch(periods?: Parameters<typeof startTestMarket>[0]): Promise<TestMatch> {
  const market = await startTestMarket(periods);
  const database = await createTestDatabase();
  const redisUrl = await createTestRedis();
  const db = createPool({ url: database.url, name: "test" });
  const context = createTestContext("test");
  const { logger, signal } = context;
  const partner = privateKeyToAccount(partnerKey);
  await fund(market.rpcUrl, [partner.address]);
  const actors = async () => {
    const { client, deployment } = market;
    const shared = { pool: db, client, deployment, logger, signal, pollMs: 100 };
    const keeper = await createSender({ ...shared, account: market.keeper });
    const partnerSender = await createSender({ ...shared, account: partner });
    return {
      keeper,
      chain: createChainActions({ market: { ...market }, keeper, partner: partnerSender, account: partner }),
    };
  };
  const { keeper, chain } = await actors();
  const running: RunningProcess[] = [];
  const start = async (name: string, program: string, env: Record<string, string>, port: number) => {
    const process_ = await startProcess({
      name,
      command: process.execPath,
      args: [join(rootDir, program)],
      stateDir: await testStateDir(),
      cwd: rootDir,
      env: { ...programEnv(), ...baseEnv(market), ...env, PORT: String(port) },
      // The error of a start that takes too long says what the service answered last.
      ready: async (stop) => {
        const answer = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: stop });
        if (!answer.ok) throw new Error(`${name} answers ${answer.status}: ${await answer.text()}`);
        return true;
      },
      readyDeadlineMs: 120_000,
    });
    running.push(process_);
    return process_;
  };
  const exporter = asRole(database.url, "ngpu_autoexport");
  const startExport = async () =>
    start("autoExport", "services/autoExport/index.ts", { DATABASE_URL: exporter }, await freePort());
  let exporting = await startExport();
  return {
    market,
    database,
    db,
    redisUrl,
    context,
    keeper,
    chain,
    async startService(service, name, env = {}) {
      const own = { DATABASE_URL: asRole(database.url, `ngpu_${service}`), REDIS_URL: redisUrl };
      const signer = { SIGNER_KEY: market.keeperKey };
      return start(name, `services/${service}/index.ts`, { ...own, ...signer, ...env }, await freePort());
    },
    async readDeployment() {
      await exporting.stop();
      exporting = await startExport();
      return actors();
    },
    async startMatch(instance, env = {}, powers = allPowers) {
      const port = await freePort();
      const url = `ws://127.0.0.1:${port}`;
      const match = await start(
        instance,
        "services/match/index.ts",
        {
          DATABASE_URL: asRole(database.url, isWitness(powers) ? "ngpu_witness" : "ngpu_match"),
          REDIS_URL: redisUrl,
          ...keysOf(market, powers),
          PUBLIC_URL: url,
          PROBE_IMAGE: probeImage,
          INSTANCE: instance,
          PRIVATE_ADDRESSES: "1",
          ...env,
        },
        port,
      );
      const kill = async () => {
        process.kill(match.pid, "SIGKILL");
        await match.exited;
      };
      return { url, httpUrl: `http://127.0.0.1:${port}`, process: match, kill };
    },
    async stop() {
      for (const one of running.reverse()) await one.stop();
      await context.stop();
      await db.end();
      await database.drop();
      await market.stop();
    },
  };
}

/** The variables of match with a key of each power. */
const powerVariables: Record<Power, string> = {
  relayer: "RELAYER_KEY",
  acknowledger: "ACKNOWLEDGER_KEY",
  committer: "COMMITTER_KEY",
  keeper: "KEEPER_KEY",
  witness: "WITNESS_KEY",
  cosigner: "COSIGNER_KEY",
  measureKeeper: "MEASURE_KEEPER_KEY",
};
/** A witness and a cosigner have a database role of their own. */
const isWitness = (powers: readonly Power[]) =>
  powers.every((one) => one === "witness" || one === "cosigner");
const allPowers = Object.keys(powerVariables) as Power[];

function keysOf({ powers }: TestMarket, given: readonly Power[]): Record<string, string> {
  return Object.fromEntries(given.map((power) => [powerVariables[power], powers[power]]));
}

function baseEnv(market: TestMarket): Record<string, string> {
  return {
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? "info",
    HOST: "127.0.0.1",
    CHAIN_RPC_URLS: market.rpcUrl,
    DEPLOYMENT_FILE: market.deploymentFile,
    BLOCK_SECONDS: "1",
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
