import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import pg from "pg";
import type { Timeouts } from "../../../services/gateway/deadline.ts";
import { startGateway } from "../../../services/gateway/gateway.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { createChainTables, insertAssignment, insertNode } from "../support/chainTables.ts";
import { asRole, createTestContext, eventually } from "../support/context.ts";
import { deploymentDocument } from "../support/deployment.ts";
import { askForTunnel, goodHandshake, handshakeHeaders, type NodeServer, newAccount } from "./node.ts";

export const token = "a-token-of-more-than-thirty-two-characters";
export const audience = "http://gateway.test";

/**
 * A gateway on a real Postgres.
 *
 * @param options.port Its port, at which it is also public. Default: any port, and `audience` as its public URL.
 */
export async function openGateway(options: { timeouts?: Timeouts; port?: number } = {}) {
  const database = await createTestDatabase();
  const db = new pg.Pool({ connectionString: database.url, max: 4 });
  await createChainTables(db);
  const folder = mkdtempSync(join(tmpdir(), "ngpu-gateway-"));
  const file = join(folder, "deployment.json");
  writeFileSync(file, JSON.stringify(deploymentDocument));
  let context = createTestContext("gateway");
  const { port } = options;
  const env = {
    LOG_LEVEL: "silent" as const,
    HOST: "127.0.0.1",
    PORT: port ?? 0,
    DATABASE_URL: asRole(database.url, "ngpu_gateway"),
    DEPLOYMENT_FILE: file,
    PUBLIC_URL: port === undefined ? audience : `http://127.0.0.1:${port}`,
    GATEWAY_TOKEN: token,
    INSTANCE: "gateway-test",
  };
  const { url } = await startGateway(context, env, options.timeouts);
  return {
    db,
    databaseUrl: database.url,
    url,
    /** Stops the gateway and starts it again, at the same port if it was given. */
    restart: async () => {
      await context.stop();
      context = createTestContext("gateway");
      await startGateway(context, env, options.timeouts);
    },
    /** Stores leases in schema chain and notifies, as autoExport does. */
    addAssignments: async (rows: Record<string, unknown>[]) => {
      for (const row of rows) await insertAssignment(db, { state: "running", ...row });
      await db.query(`notify chain_changed, '{"block":"2","tables":["assignment"]}'`);
    },
    route: (path: string, init: RequestInit = {}) =>
      fetch(`${url}/v1/route${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...init.headers },
      }),
    stop: async () => {
      await context.stop();
      await db.end();
      await database.drop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A gateway with helpers that act as a node and as apiServer. */
export async function setup(options: { timeouts?: Timeouts } = {}) {
  const gateway = await openGateway(options);
  const { db, url } = gateway;
  const deployment = parseDeployment(deploymentDocument);
  const addNode = async (nodeId: number) => {
    const account = newAccount();
    await insertNode(db, { node_id: nodeId, key: account.address.toLowerCase() });
    return account;
  };
  const connectNode = async (account: ReturnType<typeof newAccount>, serve: NodeServer) => {
    const headers = await handshakeHeaders(deployment, goodHandshake(account, audience));
    const tunnel = await askForTunnel(url, headers, serve);
    if ("status" in tunnel) throw new Error(`refused: ${tunnel.code}`);
    return tunnel;
  };
  return {
    ...gateway,
    deployment,
    addNode,
    connectNode,
    /** Adds a registered node with an open tunnel, and waits for its row. */
    addConnectedNode: async (nodeId: number, serve: NodeServer) => {
      const tunnel = await connectNode(await addNode(nodeId), serve);
      await eventually(`tunnel of node ${nodeId}`, async () => {
        const found = await db.query("select from app.tunnel where node_id = $1", [nodeId]);
        return found.rowCount === 1;
      });
      return tunnel;
    },
    /** Replaces all leases. */
    setAssignments: async (rows: Record<string, unknown>[]) => {
      await db.query("delete from chain.assignment");
      await gateway.addAssignments(rows);
    },
  };
}

export type Setup = Awaited<ReturnType<typeof setup>>;
