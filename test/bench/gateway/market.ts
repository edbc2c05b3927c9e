import { join as joinPath } from "node:path";
import getPort from "get-port";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { type RunningProcess, startProcess } from "../../../scripts/embedded/process.ts";
import type { Client } from "../../services/apiServer/client.ts";
import { join, runWorkspace } from "../../services/apiServer/partner.ts";
import { type ApiMarket, setup } from "../../services/apiServer/setup.ts";
import { startNodeProcess } from "../../services/bytes/processes.ts";
import { eventually } from "../../services/support/context.ts";
import { startProgram } from "../../services/support/programs.ts";
import { addNode } from "../../services/workspace/chainActions.ts";
import { testStateDir } from "../../support/parts.ts";
import { programEnv } from "../../support/programEnv.ts";
import { isOpen } from "./peers.ts";

export type BenchMarket = {
  api: ApiMarket;
  apiKey: string;
  workspaceId: string;
  stop: () => Promise<void>;
};

/** Starts the program in place of a container. */
export async function startBackend(): Promise<{ port: number; stop: () => Promise<void> }> {
  const port = await getPort();
  const running: RunningProcess = await startProcess({
    name: "backend",
    command: process.execPath,
    stateDir: await testStateDir(),
    args: [joinPath(import.meta.dirname, "backend.ts"), String(port)],
    env: programEnv(),
    ready: (signal) => isOpen(port, signal),
  });
  return { port, stop: running.stop };
}

/**
 * API, gateway and node client, each a process of its own, between a partner and the backend. Chain, Postgres and Redis are
 * real. Calls are counted against limits that they do not reach.
 *
 * @param options.tunnelVia Maps the gateway's port to the one that the node connects to.
 * @param options.nodeArgs Options of Node for the API and the gateway.
 */
export async function openMarket(
  backend: number,
  options: { tunnelVia?: (port: number) => Promise<number>; nodeArgs?: (name: string) => string[] } = {},
): Promise<BenchMarket> {
  const { tunnelVia = async (port) => port, nodeArgs = () => [] } = options;
  const public_ = { url: "" };
  const api = await setup({
    startApi: (env) =>
      startProgram({
        name: "apiServer",
        file: "test/chaos/api/server.ts",
        url: `http://127.0.0.1:${env.PORT}`,
        nodeArgs: nodeArgs("apiServer"),
        env: { ...env, LOG_LEVEL: "info" },
      }),
    startGateway: async (env) => {
      public_.url = `http://127.0.0.1:${await tunnelVia(env.PORT)}`;
      return startProgram({
        name: "gateway",
        file: "services/gateway/index.ts",
        url: `http://127.0.0.1:${env.PORT}`,
        nodeArgs: nodeArgs("gateway"),
        env: { ...env, PUBLIC_URL: public_.url, LOG_LEVEL: "info" },
      });
    },
  });
  const nodeId = await addNode(api.chain, "one");
  await api.market.exported();
  const { deployment } = api.chain;
  const node = startNodeProcess({ name: "one", gatewayUrl: public_.url, deployment });
  await eventually("the tunnel", () => node.open() === 1);
  const { partner } = await join(api, privateKeyToAccount(generatePrivateKey()), "100");
  const { id } = await runWorkspace(api, partner, { name: "one", nodeId });
  node.setPort({ workspaceId: id, port: backend });
  await eventually("a route", () => isServed(partner, id));
  let stopped: Promise<void> | undefined;
  return {
    api,
    apiKey: (partner as Client & { apiKey: string }).apiKey,
    workspaceId: id,
    stop: () => {
      stopped ??= node.stop().then(() => api.stop());
      return stopped;
    },
  };
}

async function isServed(partner: Client, workspaceId: string): Promise<boolean> {
  const { body } = await partner.post<{ status?: string }>("/v1/tasks", { workspaceId, path: "/" });
  return body.status === "succeeded";
}
