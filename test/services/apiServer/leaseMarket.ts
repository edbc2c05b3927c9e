import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { createPool } from "@ngpu/db/pool";
import { createHttpServer } from "@ngpu/runtime/http";
import { createLogger } from "@ngpu/runtime/logger";
import type { RequestHandler } from "express";
import getPort from "get-port";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createTunnels } from "../../../node-client/tunnels.ts";
import { createKey } from "../../../services/apiServer/access.ts";
import { createApiApp } from "../../../services/apiServer/app.ts";
import { startBatches } from "../../../services/apiServer/batches/batchRunner.ts";
import { createCallLog } from "../../../services/apiServer/calls.ts";
import { createCancellations } from "../../../services/apiServer/cancellations.ts";
import { createChangeFeed } from "../../../services/apiServer/changeFeed.ts";
import type { ApiDeps } from "../../../services/apiServer/deps.ts";
import { createContents } from "../../../services/apiServer/files/contents.ts";
import { createFileKeys } from "../../../services/apiServer/files/fileKeys.ts";
import { createFileStore } from "../../../services/apiServer/files/fileStore.ts";
import { createGateway } from "../../../services/apiServer/gatewayClient.ts";
import { createHotFacts } from "../../../services/apiServer/hotFacts.ts";
import type { Scope } from "../../../services/apiServer/scopes.ts";
import { insertKey } from "../../../services/apiServer/store/keys.ts";
import { createTaskRunner } from "../../../services/apiServer/taskRunner.ts";
import { isForWebSocket, serveUpgrades } from "../../../services/apiServer/upgrades.ts";
import { echo } from "../gateway/node.ts";
import { openGateway, token } from "../gateway/setup.ts";
import { insertNode, insertRow } from "../support/chainTables.ts";
import { asRole, eventually } from "../support/context.ts";
import { deploymentDocument } from "../support/deployment.ts";
import { createClient } from "./client.ts";
import { createContract, type OpenApi } from "./contract.ts";
import { startLeaseNode } from "./leaseNode.ts";

export const wallet = "0x00000000000000000000000000000000000000a1";
export const stranger = "0x00000000000000000000000000000000000000b2";

/**
 * The API's app, a gateway and a node's client, with workspaces and leases that the test writes instead of a chain. Workspace 1 has
 * a replica on the node, workspace 2 one on a node whose client is older than requests to nodes, and workspace 3 none.
 */
export async function openLeaseMarket() {
  const gateway = await openGateway({ port: await getPort({ host: "127.0.0.1" }) });
  const db = createPool({ url: asRole(gateway.databaseUrl, "ngpu_api"), name: "apiServer" });
  const folder = mkdtempSync(join(tmpdir(), "ngpu-files-"));
  const api = await startApi(gateway, { db, folder }, 1n);
  const other = await startApi(gateway, { db, folder }, 2n);
  const contract = createContract((await (await fetch(`${api.url}/openapi.json`)).json()) as OpenApi);
  const node = await startLeaseNode(echo("one"));
  const stopped = new AbortController();
  const ports = new Map<string, number>();
  const connect = async (nodeId: number, answers: Parameters<typeof createTunnels>[0]["nodeRequests"]) => {
    const account = privateKeyToAccount(generatePrivateKey());
    await insertNode(gateway.db, { node_id: nodeId, key: account.address.toLowerCase() });
    const tunnels = createTunnels({
      account,
      deployment: parseDeployment(deploymentDocument),
      portOf: (lease: string) => ports.get(lease),
      nodeRequests: answers,
      logger: createLogger("node", "silent"),
      signal: stopped.signal,
    });
    tunnels.setGateways([gateway.url]);
    await eventually("the tunnel", () => tunnels.open() === 1);
  };
  await connect(1, { answer: (stream, path) => node.requests().answer(stream, path) });
  await connect(2, undefined);
  for (const id of [1, 2, 3]) await insertRow(gateway.db, "chain.workspace", workspace(id));
  await gateway.addAssignments([
    { workspace_id: 1, replica: 0, lease: 4, node_id: 1 },
    { workspace_id: 2, replica: 0, lease: 1, node_id: 2 },
  ]);
  for (const owner of [wallet, stranger]) await insertRow(gateway.db, "app.account", { wallet: owner });
  const keyFor = async (owner: string, ...scopes: Scope[]) => {
    const { id, text, secretHash } = createKey();
    const given = scopes.length === 0 ? null : scopes;
    await insertKey(db, { id, wallet: owner, name: "test", secretHash, scopes: given });
    return text;
  };
  const client = createClient(api.url, contract);
  return {
    /** Another instance of the API. */
    otherClient: createClient(other.url, contract),
    /** The port of the program that serves the tasks of workspace 1. */
    serveTasks: (port: number) => ports.set("1/0/4", port),
    url: api.url,
    /** The folder of encrypted files. */
    folder,
    /** Removes from it what nothing refers to. */
    sweepFiles: () => contentsOf(db, folder, 1n).sweep(),
    restartApi: api.restart,
    restartGateway: gateway.restart,
    db: gateway.db,
    node,
    client,
    keyFor,
    /** A client with a key of the wallet; without scopes it may do everything. */
    as: async (owner: string, ...scopes: Scope[]) => client.withKey(await keyFor(owner, ...scopes)),
    /** Gives the replica of workspace 1 a running container. */
    run: (container: string) => node.run({ workspaceId: 1n, replica: 0, lease: 4 }, container),
    stop: async () => {
      stopped.abort();
      await api.stop();
      await other.stop();
      await db.end();
      await gateway.stop();
      node.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

export type LeaseMarket = Awaited<ReturnType<typeof openLeaseMarket>>;

const noLimit: RequestHandler = (_request, _response, next) => next();

async function startApi(
  { url, databaseUrl }: { url: string; databaseUrl: string },
  { db, folder }: { db: ApiDeps["db"]; folder: string },
  runner: bigint,
): Promise<{ url: string; stop: () => Promise<void>; restart: () => Promise<void> }> {
  const port = await getPort({ host: "127.0.0.1" });
  const logger = createLogger("apiServer", process.env.TEST_LOG_LEVEL ?? "silent");
  const start = async () => {
    const stopping = new AbortController();
    const gateway = createGateway({ url, token });
    const cancellations = createCancellations(db);
    const changes = createChangeFeed({
      url: asRole(databaseUrl, "ngpu_api"),
      logger,
      signal: stopping.signal,
      onCancel: cancellations.cancel,
    });
    const tasks = createTaskRunner({ db, gateway, runner, cancellations, logger });
    const contents = contentsOf(db, folder, runner);
    // The routes under test need no chain; those that do are not called.
    const deps = {
      db,
      gateway,
      changes,
      tasks,
      contents,
      logger,
      publicUrl: `http://127.0.0.1:${port}`,
      deployment: parseDeployment(deploymentDocument),
      delegate: wallet,
      network: {},
    } as unknown as ApiDeps;
    const batches = startBatches({
      ...deps,
      hot: createHotFacts(db, changes),
      runner,
      logger,
      signal: stopping.signal,
    });
    const calls = createCallLog({ db, logger, onEnd: () => undefined });
    const limits = { general: noLimit, signIn: noLimit, writes: noLimit };
    const app = createApiApp(deps, {
      isHealthy: async () => true,
      calls,
      limits,
      proxies: ["127.0.0.1"],
      releases: undefined,
      console: undefined,
    });
    const server = createHttpServer(app, { shouldUpgradeCallback: isForWebSocket });
    serveUpgrades(server, app);
    await once(server.listen(port, "127.0.0.1"), "listening");
    return { server, stop: () => stopServer(server, { stopping, gateway, calls, tasks, batches }) };
  };
  let running = await start();
  return {
    url: `http://127.0.0.1:${(running.server.address() as AddressInfo).port}`,
    stop: () => running.stop(),
    restart: async () => {
      await running.stop();
      running = await start();
    },
  };
}

async function stopServer(
  server: Server,
  {
    stopping,
    gateway,
    calls,
    tasks,
    batches,
  }: {
    stopping: AbortController;
    gateway: ReturnType<typeof createGateway>;
    calls: { flush: () => Promise<void> };
    tasks: ApiDeps["tasks"];
    batches: { done: Promise<void> };
  },
): Promise<void> {
  stopping.abort();
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
  await tasks.stop();
  await batches.done;
  gateway.close();
  await calls.flush();
}

/** Bytes that an account may have in its files. */
export const filesQuota = 3_000_000;

function contentsOf(db: ApiDeps["db"], folder: string, runner: bigint) {
  const keys = createFileKeys(["a-key-of-more-than-thirty-two-characters"]);
  return createContents({ db, runner, files: createFileStore({ folder, keys, quota: filesQuota }) });
}

const workspace = (id: number) => ({
  workspace_id: id,
  generation: 1,
  owner: wallet,
  authorization_id: 1,
  image: "image",
  replicas: 1,
  policy: "available",
  grace_seconds: 60,
  max_price_per_second: 1,
  gpu_model: "0x0000000000000000",
  min_vram_mib: 0,
  min_compute_capability: 0,
  region: null,
  gpus: 0,
  cpu_milli: 500,
  memory_mib: 256,
  disk_gib: 1,
  ports: 1,
  expires_at: 0,
  config_hash: "0x",
  config: '{"image":"image","ports":[8080]}',
  status: "open",
  stopped: false,
  published_block: 1,
  published_tx: "0x",
  block_number: 1,
});
