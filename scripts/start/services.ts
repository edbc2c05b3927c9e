import { randomBytes } from "node:crypto";
import { join } from "node:path";
import getPort from "get-port";
import { choosePort } from "../embedded/ports.ts";
import { startProcess } from "../embedded/process.ts";
import type { DatabaseUrls, databaseRoles } from "./database.ts";
import type { Holder, Keys } from "./keys.ts";
import type { Market } from "./market.ts";

/** Where everything that listens can be reached. */
export type Addresses = { api: string; match: string; gateway: string; registry: string };

/** Ports are chosen before anything starts, because the services are told each other's addresses. */
export type Ports = Record<
  "autoExport" | "match" | "workspace" | "dispense" | "pomc" | "apiServer" | "gateway",
  number
>;

export async function choosePorts(options: Market["options"]): Promise<Ports> {
  const free = () => getPort({ host: "127.0.0.1" });
  return {
    apiServer:
      options.apiPort === undefined
        ? await getPort({ host: options.host, port: 8080 })
        : await choosePort({ option: "--api-port", port: options.apiPort }),
    match: await choosePort({ option: "--match-port", port: options.matchPort }),
    gateway: await choosePort({ option: "--gateway-port", port: options.gatewayPort }),
    dispense: await choosePort({ option: "--registry-port", port: options.registryPort }),
    autoExport: await free(),
    workspace: await free(),
    pomc: await free(),
  };
}

export function addressesOf(ports: Ports, host: string): Addresses {
  return {
    api: `http://${host === "0.0.0.0" ? "127.0.0.1" : host}:${ports.apiServer}`,
    match: `ws://127.0.0.1:${ports.match}`,
    gateway: `http://127.0.0.1:${ports.gateway}`,
    registry: `127.0.0.1:${ports.dispense}`,
  };
}

type ServiceName = keyof typeof databaseRoles;

/** The account each service sends transactions from. */
const signers: Partial<Record<ServiceName, Holder>> = {
  match: "match",
  workspace: "workspace",
  dispense: "dispense",
  pomc: "pomc",
  apiServer: "api",
};

/** The environment of one program: what it needs and nothing else of ours. */
export function baseEnvironment(market: Pick<Market, "logLevel">): Record<string, string> {
  const kept = ["PATH", "HOME", "TZ", "LANG", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"];
  const inherited = kept.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  );
  return { ...Object.fromEntries(inherited), LOG_LEVEL: market.logLevel, NODE_ENV: "production" };
}

/** Starts every service as a process of its own and waits until each says it is healthy. */
export async function startServices(
  market: Market,
  given: { ports: Ports; addresses: Addresses; databases: DatabaseUrls["services"]; probeImage: string },
): Promise<void> {
  const gatewayToken = randomBytes(32).toString("hex");
  const { addresses } = given;
  const own: Record<ServiceName, Record<string, string>> = {
    autoExport: {},
    match: { PUBLIC_URL: addresses.match, PROBE_IMAGE: given.probeImage, INSTANCE: "match-1" },
    workspace: {},
    dispense: { IMAGE_STORE: join(market.stateDir, "images") },
    pomc: {},
    gateway: { PUBLIC_URL: addresses.gateway, GATEWAY_TOKEN: gatewayToken, INSTANCE: "gateway-1" },
    apiServer: {
      HOST: market.options.host,
      PUBLIC_URL: addresses.api,
      GATEWAY_URL: addresses.gateway,
      GATEWAY_TOKEN: gatewayToken,
      GATEWAY_URLS: addresses.gateway,
      MATCH_URLS: addresses.match,
      PUBLIC_RPC_URLS: market.chain.rpcUrls.join(","),
      PROBE_IMAGE: given.probeImage,
    },
  };
  const startOne = (name: ServiceName) =>
    startService(market, name, own[name], given.ports[name], given.databases[name]);
  // The others read what autoExport builds.
  await startOne("autoExport");
  const others = (Object.keys(own) as ServiceName[]).filter((name) => name !== "autoExport");
  const results = await Promise.allSettled(others.map(startOne));
  const fault = results.find((result) => result.status === "rejected");
  if (fault !== undefined) throw fault.reason;
}

async function startService(
  market: Market,
  name: ServiceName,
  own: Record<string, string>,
  port: number,
  databaseUrl: string,
): Promise<void> {
  const env = {
    ...baseEnvironment(market),
    HOST: "127.0.0.1",
    PORT: String(port),
    CHAIN_RPC_URLS: market.chain.rpcUrls.join(","),
    DEPLOYMENT_FILE: market.deploymentFile,
    DATABASE_URL: databaseUrl,
    REDIS_URL: market.redisUrl,
    ...signerOf(market.keys, name),
    ...own,
  };
  const host = env.HOST === "0.0.0.0" ? "127.0.0.1" : env.HOST;
  await startProgram(market, {
    name,
    entry: `services/${name}/index.ts`,
    args: [],
    env,
    healthUrl: `http://${host}:${port}/healthz`,
  });
}

function signerOf(keys: Keys, name: ServiceName): Record<string, string> {
  const holder = signers[name];
  return holder === undefined ? {} : { SIGNER_KEY: keys[holder].key };
}

/** Starts one program of ours and waits for its /healthz; it is stopped with the market, and the market with it. */
export async function startProgram(
  market: Market,
  program: { name: string; entry: string; args: string[]; env: Record<string, string>; healthUrl: string },
): Promise<void> {
  const child = await startProcess({
    name: program.name,
    command: process.execPath,
    args: [join(market.rootDir, program.entry), ...program.args],
    cwd: market.rootDir,
    stateDir: market.stateDir,
    env: program.env,
    ready: async (signal) => (await fetch(program.healthUrl, { signal })).ok,
    readyDeadlineMs: 60_000,
    stopDeadlineMs: 20_000,
    signal: market.signal,
  });
  market.onStop(program.name, child.stop);
  void child.exited.then(({ code, signal }) => market.onExit(program.name, code ?? signal));
}
