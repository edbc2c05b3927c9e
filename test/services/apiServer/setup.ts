import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waveTerms } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import { createApp } from "@ngpu/runtime/http";
import { toJson } from "@ngpu/runtime/json";
import getPort from "get-port";
import { pino } from "pino";
import { Registry } from "prom-client";
import type { Hex } from "viem";
import { startApiServer } from "../../../services/apiServer/apiServer.ts";
import type { ApiEnv } from "../../../services/apiServer/env.ts";
import { defaultLimits, type Limits } from "../../../services/apiServer/limits.ts";
import type { GatewayEnv } from "../../../services/gateway/env.ts";
import { startGateway } from "../../../services/gateway/gateway.ts";
import { serveExplain } from "../../../services/match/scheduling/explainRoute.ts";
import { createFleetSync } from "../../../services/match/scheduling/fleetSync.ts";
import {
  askForTunnel,
  goodHandshake,
  handshakeHeaders,
  type NodeServer,
  type OpenTunnel,
} from "../gateway/node.ts";
import { createTestContext, eventually, type LogDestination } from "../support/context.ts";
import { accounts, nodeKey, privateKeyOf, type TestChain } from "../workspace/chain.ts";
import { addNode } from "../workspace/chainActions.ts";
import { openMarket, type TestMarket } from "../workspace/market.ts";
import { createClient } from "./client.ts";
import { createContract, type OpenApi } from "./contract.ts";

const token = "a-token-of-more-than-thirty-two-characters";
/** The secrets of webhooks are derived from it. */
export const webhookKey = "a-key-of-more-than-thirty-two-characters";
/** The secrets of workspaces are encrypted by it. */
export const secretKey = "another-key-of-more-than-thirty-two-characters";
export const probeImage = `registry.test/probe@sha256:${"0".repeat(64)}`;
/** The account that the API sends from; nothing else in the tests uses it. */
export const apiAccount = accounts.workspace;

export type ApiMarket = Awaited<ReturnType<typeof setup>>;

/** The API and a gateway on a real chain, exported to a real Postgres, with a real Redis. */
export async function setup(
  options: {
    limits?: Partial<Limits>;
    explains?: boolean;
    chain?: TestChain;
    faucetKey?: Hex;
    log?: LogDestination;
    /** Its registry is the market's own. */
    probeImage?: string;
    templates?: readonly object[];
    /** Starts the API elsewhere than in this process. */
    startApi?: (env: ApiEnv) => Promise<{ stop: () => Promise<void> }>;
    /** Starts the gateway elsewhere than in this process. */
    startGateway?: (env: GatewayEnv) => Promise<{ stop: () => Promise<void> }>;
  } = {},
) {
  const market = await openMarket(options.chain);
  const folder = mkdtempSync(join(tmpdir(), "ngpu-api-"));
  const file = join(folder, "deployment.json");
  writeFileSync(file, toJson(market.chain.deployment));
  const gatewayUrl = `http://127.0.0.1:${await getPort()}`;
  const gatewayEnv: GatewayEnv = {
    LOG_LEVEL: "silent",
    HOST: "127.0.0.1",
    PORT: Number(new URL(gatewayUrl).port),
    DATABASE_URL: market.urlAs("ngpu_gateway"),
    DEPLOYMENT_FILE: file,
    PUBLIC_URL: gatewayUrl,
    GATEWAY_TOKEN: token,
    INSTANCE: "gateway-test",
  };
  const gateway = await (options.startGateway ?? startGatewayHere(options.log))(gatewayEnv);
  const explainer = options.explains === true ? await startExplainer(market.pool) : undefined;
  const port = await getPort();
  const internalPort = await getPort();
  const url = `http://127.0.0.1:${port}`;
  const env: ApiEnv = {
    LOG_LEVEL: "silent" as const,
    HOST: "127.0.0.1",
    PORT: port,
    INTERNAL_HOST: "127.0.0.1",
    INTERNAL_PORT: internalPort,
    CHAIN_RPC_URLS: [market.chain.url],
    DEPLOYMENT_FILE: file,
    DATABASE_URL: market.urlAs("ngpu_api"),
    REDIS_URL: market.redisUrl,
    SIGNER_KEY: privateKeyOf("workspace"),
    PUBLIC_URL: url,
    GATEWAY_URL: gatewayUrl,
    GATEWAY_TOKEN: token,
    GATEWAY_URLS: [gatewayUrl],
    MATCH_URLS: ["ws://127.0.0.1:9", ...(explainer === undefined ? [] : [explainer.url])],
    PUBLIC_RPC_URLS: [market.chain.url],
    PROBE_IMAGE: options.probeImage ?? probeImage,
    PRIVATE_ADDRESSES: true,
    WEBHOOK_KEYS: [webhookKey],
    SECRET_KEYS: [secretKey],
    TRUSTED_PROXIES: [],
    FILES_FOLDER: join(folder, "files"),
    FILES_QUOTA_BYTES: 20_000_000_000,
    ...templatesIn(folder, options.templates),
    ...(options.faucetKey === undefined ? {} : { FAUCET_KEY: options.faucetKey }),
  };
  const start = async (): Promise<{ stop: () => Promise<void> }> => {
    if (options.startApi !== undefined) return options.startApi(env);
    const context = createTestContext("apiServer", options.log);
    await startApiServer(context, env, { ...defaultLimits, ...options.limits });
    return context;
  };
  let api = await start();
  // Every test of the API checks the answers that it gets.
  const contract = createContract((await (await fetch(`${url}/openapi.json`)).json()) as OpenApi);
  const tunnels: OpenTunnel[] = [];
  return {
    market,
    url,
    internalUrl: `http://127.0.0.1:${internalPort}`,
    gatewayUrl,
    contract,
    client: createClient(url, contract),
    chain: market.chain,
    db: market.pool,
    /** Restarts the API with the same settings. */
    restart: async () => {
      await api.stop();
      api = await start();
    },
    /** Adds a registered node that serves requests with the function. */
    addServingNode: (name: string, serve: NodeServer, room?: number) =>
      addServingNode(market, { name, serve, room, gatewayUrl, tunnels }),
    stop: async () => {
      for (const tunnel of tunnels) tunnel.close();
      await api.stop();
      explainer?.stop();
      await gateway.stop();
      await market.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Starts the gateway in this process. */
const startGatewayHere = (log: LogDestination | undefined) => async (env: GatewayEnv) => {
  const context = createTestContext("gateway", log);
  await startGateway(context, env);
  return context;
};

/** Starts only the explain route of match. */
async function startExplainer(db: Database): Promise<{ url: string; stop: () => void }> {
  const app = createApp({ health: () => ({ ok: true }), registry: new Registry() });
  serveExplain(app, createFleetSync(db, waveTerms.parse({})), pino({ level: "silent" }));
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function templatesIn(folder: string, templates: readonly object[] | undefined): { TEMPLATES_FILE?: string } {
  if (templates === undefined) return {};
  const path = join(folder, "templates.json");
  writeFileSync(path, toJson({ templates }));
  return { TEMPLATES_FILE: path };
}

async function addServingNode(
  market: TestMarket,
  given: {
    name: string;
    serve: NodeServer;
    room: number | undefined;
    gatewayUrl: string;
    tunnels: OpenTunnel[];
  },
): Promise<number> {
  const nodeId = await addNode(market.chain, given.name, given.room);
  await market.exported();
  const handshake = goodHandshake(nodeKey(given.name), given.gatewayUrl);
  const headers = await handshakeHeaders(market.chain.deployment, handshake);
  const tunnel = await askForTunnel(given.gatewayUrl, headers, given.serve);
  if ("status" in tunnel) throw new Error(`The gateway refused the tunnel: ${tunnel.code}`);
  given.tunnels.push(tunnel);
  await eventually("the tunnel's row", async () => {
    const found = await market.pool.query("select from app.tunnel where node_id = $1", [nodeId]);
    return found.rowCount === 1;
  });
  return nodeId;
}
