import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, isIPv6 } from "node:net";
import { join } from "node:path";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import getPort, { portNumbers } from "get-port";
import { choosePort } from "../embedded/ports.ts";
import type { StartOptions } from "./options.ts";

/** Addresses of everything that listens. */
export type Addresses = { api: string; match: string; gateway: string; registry: string };

const services = [
  "apiServer",
  "apiServerInternal",
  "match",
  "gateway",
  "registry",
  "dispense",
  "autoExport",
  "workspace",
  "pomc",
  "webhooks",
  "config",
] as const;

/** Ports are chosen before anything starts, because each service is configured with the addresses of others. */
export type Ports = Record<(typeof services)[number], number>;

/** Below the range of outgoing connections, which could take a chosen port before the service listens on it. */
const range = { first: 20_000, last: 29_999 };

/**
 * Chooses a port for every service: the requested one, else the one of the last start from this directory, else a free one.
 *
 * @throws FatalError `port_in_use`, `port_forbidden` or `address_unavailable`.
 */
export async function choosePorts(options: StartOptions): Promise<Ports> {
  const file = join(options.stateDir, "ports.json");
  const last = readLast(file);
  const free = (service: keyof Ports, host = "127.0.0.1") => {
    const start = range.first + Math.floor(Math.random() * (range.last - range.first));
    const candidates = portNumbers(start, range.last);
    const remembered = last[service];
    return getPort({ host, port: remembered === undefined ? candidates : [remembered, ...candidates] });
  };
  const chosen = (service: keyof Ports, option: string, port: number | undefined) =>
    port === undefined ? free(service) : choosePort({ option, port });
  const ports: Ports = {
    apiServer: await apiPort(options),
    apiServerInternal: await free("apiServerInternal"),
    match: await chosen("match", "--match-port", options.matchPort),
    gateway: await chosen("gateway", "--gateway-port", options.gatewayPort),
    registry: await chosen("registry", "--registry-port", options.registryPort),
    dispense: await free("dispense"),
    autoExport: await free("autoExport"),
    workspace: await free("workspace"),
    pomc: await free("pomc"),
    webhooks: await free("webhooks"),
    config: await free("config"),
  };
  mkdirSync(options.stateDir, { recursive: true });
  writeFileSync(file, JSON.stringify(ports));
  return ports;
}

/**
 * Reserves the chosen ports, above all from another start, until the services listen on them.
 *
 * @returns Releases the ports.
 */
export async function reservePorts(ports: Ports, host: string): Promise<() => Promise<void>> {
  const holders = await Promise.all(
    services.map(async (service) => {
      const server = createServer((socket) => socket.destroy());
      server.listen({ port: ports[service], host: service === "apiServer" ? host : "127.0.0.1" });
      await once(server, "listening");
      return server;
    }),
  );
  return async () => {
    await Promise.all(holders.map((server) => new Promise((resolve) => server.close(resolve))));
  };
}

async function apiPort({ host, apiPort: port }: StartOptions): Promise<number> {
  try {
    if (port === undefined) return await getPort({ host, port: 8080 });
  } catch (error) {
    throw new FatalError(`This machine cannot listen on ${host}: ${messageOf(error)}`, {
      code: "address_unavailable",
      hint: "Set --host to an address of this machine, such as 127.0.0.1 or 0.0.0.0.",
      cause: error,
    });
  }
  return choosePort({ option: "--api-port", port });
}

function readLast(file: string): Partial<Ports> {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Partial<Ports>;
  } catch (error) {
    // Truncated by a kill: other ports are chosen.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

export function addressesOf(ports: Ports, host: string): Addresses {
  return {
    api: `http://${reachable(host)}:${ports.apiServer}`,
    match: `ws://127.0.0.1:${ports.match}`,
    gateway: `http://127.0.0.1:${ports.gateway}`,
    registry: `127.0.0.1:${ports.registry}`,
  };
}

/** The host in a URL by which this machine reaches a server that listens on `host`. */
export function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return isIPv6(host) ? `[${host}]` : host;
}
