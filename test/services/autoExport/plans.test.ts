import { loadDefinitions } from "@ngpu/auto-export/definitions";
import type { Connection } from "@ngpu/db/pool";
import { expect } from "chai";
import { chainSchema, prepareWriter } from "../../../services/autoExport/store.ts";
import { createScriptedChain, randomFrom } from "../../packages/chain-reader/scriptedChain.ts";
import { createMarket } from "./market.ts";
import { type Exporter, mineNext, setup, startExporter, untilStored } from "./setup.ts";

const definitions = loadDefinitions();

describe("the plans of the statements that update projections", function () {
  this.timeout(60_000);
  let market: Awaited<ReturnType<typeof setup>>;
  let exporter: Exporter;
  let db: Connection;

  before(async () => {
    market = await setup();
    const chain = createScriptedChain();
    const acting = createMarket(randomFrom(5));
    for (let block = 0; block < 40; block++) mineNext(chain, acting, 8);
    exporter = startExporter(market.database, chain.client);
    await untilStored(market.db, chain);
    db = await market.db.connect();
    await db.query(`set search_path to ${chainSchema}`);
  });

  after(async () => {
    db.release(true);
    await exporter.stop();
    await market.drop();
  });

  /** The table scans of the plans, each with the lines below it up to the next node. */
  async function scans(): Promise<string[]> {
    await prepareWriter(db, definitions);
    const found: string[] = [];
    for (const { name } of definitions.projections) {
      for (const statement of [`apply_${name}`, `apply_block_${name}`]) {
        const { rows } = await db.query<{ "QUERY PLAN": string }>(
          `explain (costs off) execute ${statement} (1, 2)`,
        );
        const nodes = rows
          .map((row) => row["QUERY PLAN"])
          .join("\n")
          .split(/^(?=.*->)/m);
        found.push(
          ...nodes
            .filter((node) => /(Seq|Index|Only|Heap) Scan /.test(node))
            .map((node) => `${statement}: ${node}`),
        );
      }
    }
    return found;
  }

  for (const { tables, statistics } of [
    { tables: "small", statistics: "reltuples = 1, relpages = 1" },
    { tables: "huge", statistics: "reltuples = 1e9, relpages = 1" },
  ]) {
    it(`use an index for every lookup when statistics show ${tables} tables`, async () => {
      await market.db.query(
        `update pg_class set ${statistics} where relnamespace = '${chainSchema}'::regnamespace and relkind = 'r'`,
      );
      const all = await scans();
      expect(all.length).to.be.greaterThan(100);
      expect(all.filter((scan) => !scan.includes("Index Cond")).join("")).to.equal("");
    });
  }
});
