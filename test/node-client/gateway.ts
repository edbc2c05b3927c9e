import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import getPort from "get-port";
import pg from "pg";
import type { Address } from "viem";
import { startGateway } from "../../services/gateway/gateway.ts";
import { createChainTables, insertAssignment, insertNode } from "../services/support/chainTables.ts";
import { asRole, createTestContext } from "../services/support/context.ts";
import { deploymentDocument } from "../services/support/deployment.ts";
import { createTestDatabase } from "../support/postgres.ts";

const token = "a-token-of-more-than-thirty-two-characters";

/** The real gateway on a real Postgres. `url` is the URL in the market's description. */
export async function openGateway() {
  const database = await createTestDatabase();
  const db = new pg.Pool({ connectionString: database.url, max: 2 });
  await createChainTables(db);
  const folder = mkdtempSync(join(tmpdir(), "ngpu-gateway-"));
  const file = join(folder, "deployment.json");
  writeFileSync(file, JSON.stringify(deploymentDocument));
  const context = createTestContext("gateway");
  const port = await getPort({ host: "127.0.0.1" });
  const url = `http://127.0.0.1:${port}`;
  await startGateway(context, {
    LOG_LEVEL: "silent",
    HOST: "127.0.0.1",
    PORT: port,
    DATABASE_URL: asRole(database.url, "ngpu_gateway"),
    DEPLOYMENT_FILE: file,
    PUBLIC_URL: url,
    GATEWAY_TOKEN: token,
    INSTANCE: "gateway-test",
  });
  return {
    url,
    addNode: (nodeId: number, key: Address) => insertNode(db, { node_id: nodeId, key: key.toLowerCase() }),
    addReplica: async (row: Record<string, unknown>) => {
      await insertAssignment(db, { state: "running", ...row });
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
