import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectRedis } from "@ngpu/db/queue";
import { toJson } from "@ngpu/runtime/json";
import getPort from "get-port";
import { type RunningProcess, startProcess } from "../../../scripts/embedded/process.ts";
import { rootDir, testStateDir } from "../../support/parts.ts";
import { programEnv } from "../../support/programEnv.ts";
import { createClient } from "../apiServer/client.ts";
import { answerPlacements } from "../dispense/match.ts";
import { privateKeyOf } from "../workspace/chain.ts";
import { addNode } from "../workspace/chainActions.ts";
import { openMarket, type TestMarket } from "../workspace/market.ts";
import { actAsNodes } from "./nodes.ts";

export const serviceNames = ["apiServer", "workspace", "dispense"] as const;
export type ServiceName = (typeof serviceNames)[number];

const token = "a-token-of-more-than-thirty-two-characters";
/** Nodes with capacity for all replicas of a test. */
const nodeNames = ["one", "two"];

export type Bed = Awaited<ReturnType<typeof openBed>>;

/**
 * The contracts on a chain, their export in Postgres, Redis, and apiServer, workspace and dispense as processes that can be
 * killed. Stand-ins answer placements and report what nodes do.
 */
export async function openBed() {
  const market = await openMarket();
  const nodes: { id: number; name: string }[] = [];
  for (const name of nodeNames) nodes.push({ name, id: await addNode(market.chain, name, 200) });
  await market.exported();
  const redis = connectRedis(market.redisUrl);
  let turn = 0;
  const stopMatch = answerPlacements(market, redis, () => nodes[turn++ % nodes.length]?.id ?? null);
  const standIn = actAsNodes(market, nodes);
  const services = await startServices(market);
  return {
    market,
    chain: market.chain,
    client: createClient(services.apiUrl),
    nodes: standIn,
    kill: services.kill,
    start: services.start,
    stop: async () => {
      await services.stop();
      await standIn.stop();
      await stopMatch();
      redis.disconnect();
      await market.stop();
    },
  };
}

async function startServices(market: TestMarket) {
  const apiPort = await getPort();
  const env = await environments(market, apiPort);
  const running = new Map<ServiceName, RunningProcess>();
  const start = async (name: ServiceName) => {
    if (running.has(name)) return;
    const port = name === "apiServer" ? apiPort : await getPort();
    running.set(name, await launch(name, { ...env[name], PORT: String(port) }, port));
  };
  await Promise.all(serviceNames.map(start));
  return {
    apiUrl: `http://127.0.0.1:${apiPort}`,
    start,
    /** Ends a service without a chance to finish anything. */
    kill: async (name: ServiceName) => {
      const found = running.get(name);
      if (found === undefined) return;
      running.delete(name);
      process.kill(found.pid, "SIGKILL");
      await found.exited;
    },
    stop: async () => {
      await Promise.all([...running.values()].map((one) => one.stop()));
    },
  };
}

async function launch(name: ServiceName, env: Record<string, string>, port: number): Promise<RunningProcess> {
  // apiServer serves its health on its internal port only.
  const path = name === "apiServer" ? "/v1/network" : "/healthz";
  return startProcess({
    name,
    command: process.execPath,
    args: [join(rootDir, `services/${name}/index.ts`)],
    stateDir: await testStateDir(),
    cwd: rootDir,
    env: { ...programEnv(), ...env },
    readyDeadlineMs: 60_000,
    ready: async (signal) => (await fetch(`http://127.0.0.1:${port}${path}`, { signal })).status < 500,
  });
}

async function environments(
  market: TestMarket,
  apiPort: number,
): Promise<Record<ServiceName, Record<string, string>>> {
  const folder = join(await testStateDir(), "orders");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "deployment.json");
  writeFileSync(file, toJson(market.chain.deployment));
  const shared = {
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? "warn",
    CHAIN_RPC_URLS: market.chain.url,
    DEPLOYMENT_FILE: file,
    REDIS_URL: market.redisUrl,
  };
  const sweeping = { ...shared, SWEEP_SECONDS: "0.5" };
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  return {
    workspace: {
      ...sweeping,
      DATABASE_URL: market.urlAs("ngpu_workspace"),
      SIGNER_KEY: privateKeyOf("workspace"),
    },
    dispense: {
      ...sweeping,
      DATABASE_URL: market.urlAs("ngpu_dispense"),
      SIGNER_KEY: privateKeyOf("dispense"),
      NODE_TRANSFERS: "50",
      PLACEMENT_PAUSE_SECONDS: "2",
    },
    apiServer: {
      ...shared,
      DATABASE_URL: market.urlAs("ngpu_api"),
      SIGNER_KEY: privateKeyOf("deployer"),
      PUBLIC_URL: apiUrl,
      GATEWAY_URL: "http://127.0.0.1:9",
      GATEWAY_URLS: "http://127.0.0.1:9",
      GATEWAY_TOKEN: token,
      MATCH_URLS: "ws://127.0.0.1:9",
      PUBLIC_RPC_URLS: market.chain.url,
      PROBE_IMAGE: `registry.test/probe@sha256:${"0".repeat(64)}`,
      PRIVATE_ADDRESSES: "1",
      WEBHOOK_KEYS: token,
      SECRET_KEYS: token,
    },
  };
}
