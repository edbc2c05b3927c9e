import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { createPool } from "@ngpu/db/pool";
import { wordsOf } from "@ngpu/protocol/heartbeatWords";
import type pg from "pg";
import { buildSchema } from "../../../services/autoExport/build.ts";
import { createTestDatabase } from "../../support/postgres.ts";
import { asRole } from "./context.ts";
import { deploymentDocument } from "./deployment.ts";

/**
 * Schema chain as autoExport makes it, for tests that say by themselves what stands on the chain. What autoExport makes of a
 * real chain is tested with it.
 */
export async function createChainTables(pool: pg.Pool): Promise<void> {
  const db = await pool.connect();
  try {
    await db.query("set search_path to chain");
    const origin = {
      chainId: 31337,
      startBlock: 1n,
      startHash: "0x",
      contracts: Object.fromEntries(
        Object.entries(deploymentDocument.contracts).map(([name, address]) => [name, [address]]),
      ),
      definitions: "test",
      version: 1,
    };
    await buildSchema(db, loadDefinitions(), origin, "ngpu_reader");
  } finally {
    db.release(true);
  }
}

/** A database with schema chain, for a test that fills it (`chain`, as the superuser) and reads as one of the services (`db`). */
export async function openChainTables(role: string) {
  const database = await createTestDatabase();
  const chain = createPool({ url: database.url, name: "test" });
  await createChainTables(chain);
  const db = createPool({ url: asRole(database.url, role), name: role });
  const close = async () => {
    await Promise.all([chain, db].map((pool) => (pool.ended ? undefined : pool.end())));
    await database.drop();
  };
  return { chain, db, close };
}

const lease = {
  fence: "0x0000000000000000",
  state: "assigned",
  desired: "run",
  price_per_second: 0,
  sequence: 0,
  detail: null,
  assigned_block: 1,
  assigned_block_hash: "0x",
  decided_block: 1,
  lost_until: null,
  release_reason: null,
  block_number: 1,
};

const node = {
  wallet: null as string | null,
  nominated_wallet: null as string | null,
  gpu_model: "0x0000000000000000",
  gpu_name: "",
  gpu_count: 0,
  vram_mib: 0,
  compute_capability: 0,
  cpu_milli: 8_000,
  memory_mib: 16_384,
  disk_gib: 100,
  ports: 16,
  region: null,
  price_per_second: 0,
  status: "online",
  gpu_uuids: [],
  registered_block: 1,
  block_number: 1,
};

const workspace = {
  generation: 1,
  owner: "0x",
  authorization_id: 1,
  image: "registry.example/image",
  replicas: 1,
  stopped: false,
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
  config: "{}",
  status: "open",
  published_block: 1,
  published_tx: "0x",
  block_number: 1,
};

/** An open workspace; what the row leaves out does not matter to the test. */
export const insertWorkspace = (db: pg.Pool, row: Partial<typeof workspace> & { workspace_id: number }) =>
  insertRow(db, "chain.workspace", { ...workspace, ...row });

/** A node that was registered; what the row leaves out does not matter to the test. */
export const insertNode = (db: pg.Pool, row: Partial<typeof node> & { node_id: number; key: string }) =>
  insertRow(db, "chain.node", { ...node, ...row });

/** A lease as it stands now. */
export const insertAssignment = (db: pg.Pool, row: Record<string, unknown>) =>
  insertRow(db, "chain.assignment", { ...lease, ...row });

/** The columns of a dispute's event that names this node alone. */
export function wordRow(nodeId: number): { word: number; bits: string } {
  const [word] = wordsOf([nodeId]);
  return { word: word?.index ?? 0, bits: word?.bits ?? "0x" };
}

/** An event's row is of the first contract of its name where it does not say of which. */
export async function insertRow(db: pg.Pool, table: string, given: Record<string, unknown>): Promise<void> {
  const row = table.startsWith("chain.event_") ? { generation: 1, ...given } : given;
  const names = Object.keys(row);
  const places = names.map((_name, index) => `$${index + 1}`);
  await db.query(
    `insert into ${table} (${names.join(", ")}) values (${places.join(", ")})`,
    Object.values(row),
  );
}
