import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { rest } from "@ngpu/runtime/loop";
import getPort from "get-port";
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts";
import { signalGroup } from "../../../scripts/embedded/leftovers.ts";
import { type RunningProcess, startProcess } from "../../../scripts/embedded/process.ts";
import { rootDir } from "../../support/parts.ts";
import type { BenchMarket } from "./market.ts";

/** A region of their own, so that workspaces of other trials are placed elsewhere. */
export const spareRegion = "AQ";

/** Two more nodes on this machine, each with its own client. */
export type Spares = {
  /** Kills a node's client. The returned function restarts it and waits until its node is online. */
  kill(nodeId: number): Promise<() => Promise<void>>;
};

type Spare = { name: string; wallet: string; nodeId: number; running: RunningProcess };

/** Capacity for one replica of these trials. */
const limits = {
  NODE_LIMIT_GPUS: "0",
  NODE_LIMIT_CPU_MILLI: "250",
  NODE_LIMIT_MEMORY_MIB: "512",
  NODE_LIMIT_DISK_GIB: "2",
  NODE_LIMIT_PORTS: "2",
};

export async function joinSpares(market: BenchMarket): Promise<Spares> {
  const spares: Spare[] = [];
  for (const name of ["spare-1", "spare-2"]) {
    // A journal of a chain that was reset would mislead the client.
    rmSync(join(market.stateDir, name), { recursive: true, force: true });
    const wallet = privateKeyToAddress(generatePrivateKey());
    spares.push({ name, wallet, ...(await start(market, name, wallet)) });
    market.onStop(name, () => spares.find((one) => one.name === name)?.running.stop() ?? Promise.resolve());
  }
  return {
    async kill(nodeId) {
      const spare = spares.find((one) => one.nodeId === nodeId);
      if (spare === undefined) throw new Error(`Node ${nodeId} is not one of the spares.`);
      signalGroup(spare.running.pid, "SIGKILL");
      await spare.running.exited;
      return async () => {
        Object.assign(spare, await start(market, spare.name, spare.wallet));
      };
    },
  };
}

async function start(
  market: BenchMarket,
  name: string,
  wallet: string,
): Promise<Pick<Spare, "running" | "nodeId">> {
  const folder = join(market.stateDir, name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const port = await getPort({ host: "127.0.0.1" });
  const health = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: market.signal });
    return ((await response.json()) as { details: { address: string; session: boolean } }).details;
  };
  const running = await startProcess({
    name,
    command: process.execPath,
    args: [join(rootDir, "node-client/main.ts"), "run"],
    stateDir: market.stateDir,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LOG_LEVEL: "info",
      HOST: "127.0.0.1",
      PORT: `${port}`,
      NGPU_API: market.apiUrl,
      NODE_DIR: folder,
      NODE_HOST: "127.0.0.1",
      NODE_WALLET: wallet,
      NODE_REGION: spareRegion,
      NODE_PRICE: "1000000000000",
      NODE_STOP_CONTAINERS: "1",
      ...limits,
      NODE_DOCKER_SOCKET: market.dockerSocket,
    },
    ready: async () => (await health()).session,
    readyDeadlineMs: 120_000,
    signal: market.signal,
  });
  const { address } = await health();
  return { running, nodeId: await online(market, address) };
}

async function online({ api, signal }: BenchMarket, address: string): Promise<number> {
  for (;;) {
    const { nodes } = await api.get<{ nodes: { id: number; key: string; status: string }[] }>("/v1/nodes");
    const found = nodes.find(({ key, status }) => key === address.toLowerCase() && status === "online");
    if (found !== undefined) return found.id;
    await rest(200, signal);
    signal.throwIfAborted();
  }
}
