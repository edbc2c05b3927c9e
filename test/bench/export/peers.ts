import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { installPackages } from "../npmPackage.ts";
import { peerTables } from "./tables.ts";

const sqd = {
  "@subsquid/evm-abi": "0.3.1",
  "@subsquid/evm-processor": "1.27.3",
  "@subsquid/typeorm-store": "1.5.1",
  pg: "8.23.1",
  typeorm: "0.3.31",
};

const ponder = { hono: "4.13.19", ponder: "0.16.10", viem: "2.57.1" };

/** Versions of the peers and of anvil. */
export function peerVersions(): Record<string, string> {
  const anvil = createRequire(import.meta.url)("@foundry-rs/anvil/package.json") as { version: string };
  return {
    anvil: anvil.version,
    "SQD evm-processor": sqd["@subsquid/evm-processor"],
    "SQD typeorm-store": sqd["@subsquid/typeorm-store"],
    ponder: ponder.ponder,
  };
}

/** Installs SQD with the benchmark's program for it. @returns its directory */
export async function installSqd(folder: string): Promise<string> {
  const at = await installPackages(join(folder, "sqd"), sqd);
  mkdirSync(join(at, "lib/model"), { recursive: true });
  copyFileSync(join(import.meta.dirname, "peers/sqdModel.cjs"), join(at, "lib/model/index.js"));
  copyFileSync(join(import.meta.dirname, "peers/sqd.cjs"), join(at, "main.cjs"));
  writeFileSync(join(at, "tables.json"), JSON.stringify(peerTables()));
  return at;
}

/** Installs ponder with the benchmark's program for it. @returns its directory */
export async function installPonder(folder: string): Promise<string> {
  const at = await installPackages(join(folder, "ponder"), ponder);
  const from = join(import.meta.dirname, "peers");
  mkdirSync(join(at, "src/api"), { recursive: true });
  copyFileSync(join(from, "ponder.config.mjs"), join(at, "ponder.config.ts"));
  copyFileSync(join(from, "ponder.index.mjs"), join(at, "src/index.ts"));
  copyFileSync(join(from, "ponder.api.mjs"), join(at, "src/api/index.ts"));
  copyFileSync(join(from, "ponder.run.mjs"), join(at, "main.mjs"));
  const tables = peerTables();
  const names = tables.map(({ table }) => `export const ${table} = tableOf("${table}");\n`);
  const schema = readFileSync(join(from, "ponder.schema.mjs"), "utf8");
  writeFileSync(join(at, "ponder.schema.ts"), schema + names.join(""));
  writeFileSync(join(at, "tables.json"), JSON.stringify(tables));
  writeFileSync(join(at, "abi.json"), JSON.stringify(tables.map(({ abi }) => abi)));
  return at;
}
