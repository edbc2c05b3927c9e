import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import getPort from "get-port";
import { allOrNothing } from "./allOrNothing.ts";
import type { DatabaseUrls } from "./database.ts";
import type { KeyName, Keys } from "./keys.ts";
import type { Market } from "./market.ts";
import { type Addresses, type Ports, reachable } from "./ports.ts";
import { baseEnvironment, startProgram } from "./program.ts";
import { releasesDir, updateKeys, updateRepository } from "./releases.ts";
import type { Progress } from "./reporter.ts";

type ServiceName = Exclude<keyof Ports, "apiServerInternal" | "config">;

/** The variables of each service's keys, and whose key each has. */
const signers: Partial<Record<ServiceName, Record<string, KeyName>>> = {
  match: { RELAYER_KEY: "match", ACKNOWLEDGER_KEY: "acknowledger" },
  workspace: { SIGNER_KEY: "workspace" },
  dispense: { SIGNER_KEY: "dispense" },
  // One process has both keys on one machine.
  pomc: { POSTER_KEY: "pomc", RECEIPTS_POSTER_KEY: "receiptsPoster" },
  apiServer: { SIGNER_KEY: "api" },
};

/**
 * The instances of match that have one power each, and its variable: a process that holds one key can do what this key can.
 * The instance `match` itself relays messages and acknowledges heartbeats.
 */
const powers = {
  committer: "COMMITTER_KEY",
  keeper: "KEEPER_KEY",
  witness: "WITNESS_KEY",
  measureKeeper: "MEASURE_KEEPER_KEY",
} as const;
type Power = keyof typeof powers;

/**
 * Starts every service as its own process and waits until each is healthy. The others start while autoExport creates the
 * tables that they read.
 */
export async function startServices(
  market: Market,
  progress: Progress,
  given: { ports: Ports; addresses: Addresses; databases: DatabaseUrls["services"]; probeImage: string },
): Promise<void> {
  const own = environments(market, given);
  const awaited = new Set<ServiceName | Power>([
    ...(Object.keys(own) as ServiceName[]),
    ...(Object.keys(powers) as Power[]),
  ]);
  progress(`waiting for ${[...awaited].join(", ")}`);
  const startOne = async (name: ServiceName | Power, onAnswer?: () => void) => {
    const service = isPower(name) ? "match" : name;
    const role = name === "witness" ? name : service;
    const env = { ...own[service], DATABASE_URL: given.databases[role] };
    if (isPower(name)) await startService(market, service, await powerOf(market, name, env));
    else await startService(market, service, { env, port: given.ports[name], onAnswer });
    awaited.delete(name);
    progress(`waiting for ${[...awaited].join(", ")}`);
  };
  const answers = Promise.withResolvers<void>();
  const exporting = startOne("autoExport", answers.resolve);
  const others = [...awaited].filter((name) => name !== "autoExport");
  await allOrNothing([
    exporting,
    Promise.race([answers.promise, exporting]).then(() => allOrNothing(others.map((name) => startOne(name)))),
  ]);
}

/** Starts config, which needs the update repository that the release writes. */
export async function startConfigService(market: Market, port: number): Promise<void> {
  const { stateDir } = market;
  await startProgram(market, {
    name: "config",
    group: "services",
    entry: "services/config/index.ts",
    args: [],
    env: {
      ...baseEnvironment(market),
      HOST: "127.0.0.1",
      PORT: String(port),
      UPDATE_REPOSITORY: updateRepository(stateDir),
      ONLINE_KEY_FILE: join(updateKeys(stateDir), "online.pem"),
      CONFIG_TOKEN: configToken(stateDir),
    },
    healthUrl: `http://127.0.0.1:${port}/healthz`,
  });
}

/** The token of this market's config, in the file `config-token` of the state directory. */
function configToken(stateDir: string): string {
  const path = join(stateDir, "config-token");
  if (!existsSync(path)) writeFileSync(path, randomBytes(32).toString("hex"), { mode: 0o600 });
  return readFileSync(path, "utf8").trim();
}

function isPower(name: string): name is Power {
  return name in powers;
}

/** An instance of match with the key of one power. */
async function powerOf(market: Market, power: Power, env: Record<string, string>): Promise<Start> {
  const own: Record<string, string> = { ...env, INSTANCE: power, [powers[power]]: market.keys[power].key };
  // Both keys only state what others act on, so one process has them on one machine.
  if (power === "witness") own.COSIGNER_KEY = market.keys.cosigner.key;
  return { env: own, port: await getPort({ host: "127.0.0.1" }), power };
}

/** The variables of each service besides those that all services have. */
function environments(
  market: Market,
  { ports, addresses, probeImage }: { ports: Ports; addresses: Addresses; probeImage: string },
): Record<ServiceName, Record<string, string>> {
  const gatewayToken = randomBytes(32).toString("hex");
  return {
    autoExport: {},
    match: {
      PUBLIC_URL: addresses.match,
      PROBE_IMAGE: probeImage,
      INSTANCE: "match-1",
      // The node of the journey is this machine.
      PRIVATE_ADDRESSES: "1",
    },
    workspace: {},
    registry: {
      IMAGE_STORE: join(market.stateDir, "images"),
      PUSH_STORE: join(market.stateDir, "pushed-images"),
      // A market for trying out takes no room that the machine needs.
      PUSH_QUOTA_GIB: "10",
      PUSH_RESERVE_GIB: "1",
    },
    dispense: {},
    pomc: {},
    gateway: { PUBLIC_URL: addresses.gateway, GATEWAY_TOKEN: gatewayToken, INSTANCE: "gateway-1" },
    apiServer: {
      HOST: market.options.host,
      INTERNAL_PORT: String(ports.apiServerInternal),
      PUBLIC_URL: addresses.api,
      GATEWAY_URL: addresses.gateway,
      GATEWAY_TOKEN: gatewayToken,
      GATEWAY_URLS: addresses.gateway,
      MATCH_URLS: addresses.match,
      PUBLIC_RPC_URLS: market.chain.rpcUrls.join(","),
      PRIVATE_ADDRESSES: "1",
      WEBHOOK_KEYS: market.webhookKey,
      SECRET_KEYS: market.secretKey,
      PROBE_IMAGE: probeImage,
      // On other chains tokens and ETH have value.
      ...(market.chain.embedded ? { FAUCET_KEY: market.keys.faucet.key } : {}),
      CLIENT_RELEASES: releasesDir(market.stateDir),
      FILES_FOLDER: join(market.stateDir, "files"),
      TEMPLATES_FILE: join(market.stateDir, "templates.json"),
    },
    // Partners of a market on one machine receive events on it.
    webhooks: { WEBHOOK_KEYS: market.webhookKey, PRIVATE_ADDRESSES: "1" },
  };
}

/** How a service is started: its own variables, and the power whose key it has, if it has one alone. */
type Start = {
  env: Record<string, string>;
  port: number;
  onAnswer?: (() => void) | undefined;
  power?: Power;
};

async function startService(market: Market, name: ServiceName, own: Start): Promise<void> {
  const { port, onAnswer, power } = own;
  const env: Record<string, string> & { HOST: string } = {
    ...baseEnvironment(market),
    HOST: "127.0.0.1",
    PORT: String(port),
    CHAIN_RPC_URLS: market.chain.rpcUrls.join(","),
    DEPLOYMENT_FILE: market.deploymentFile,
    REDIS_URL: market.redisUrl,
    ...(power === undefined ? signerOf(market.keys, name) : {}),
    ...own.env,
  };
  const health =
    env.INTERNAL_PORT === undefined
      ? { host: env.HOST, port }
      : { host: "127.0.0.1", port: env.INTERNAL_PORT };
  await startProgram(market, {
    name: power ?? name,
    group: "services",
    entry: `services/${name}/index.ts`,
    args: [],
    env,
    healthUrl: `http://${reachable(health.host)}:${health.port}/healthz`,
    onAnswer,
  });
}

function signerOf(keys: Keys, name: ServiceName): Record<string, string> {
  const own = Object.entries(signers[name] ?? {});
  return Object.fromEntries(own.map(([variable, holder]) => [variable, keys[holder].key]));
}
