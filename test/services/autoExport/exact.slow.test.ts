import { randomInt } from "node:crypto";
import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { type Database, transaction } from "@ngpu/db/pool";
import { expect } from "chai";
import fc from "fast-check";
import { compareWithRebuild } from "../../../services/autoExport/verify.ts";
import {
  createScriptedChain,
  randomFrom,
  type ScriptedChain,
} from "../../packages/chain-reader/scriptedChain.ts";
import { createMarket } from "./market.ts";
import { anyActs, createScenario, nothingMet } from "./scenario.ts";
import { deployment, dump, mineNext, setup, silent, startExporter, untilStored } from "./setup.ts";

describe("the exported rows", function () {
  this.timeout(600_000);

  it("are those of a fresh replay after any reorgs, faults and kills, at the head and at every block before", async () => {
    const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31));
    process.stdout.write(`    TEST_SEED=${seed}\n`);
    const met = nothingMet();
    await fc.assert(
      fc.asyncProperty(anyActs, fc.nat(), fc.nat(), async (acts, chainSeed, anyBlock) => {
        const { chain, ours, play, catchUp, stop, drop } = await createScenario(chainSeed, met);
        try {
          for (const step of acts) await play(step);
          await catchUp();
          await stop();
          const rows = await replayed(chain, dump);
          requireSame(await dump(ours.db), rows);
          expect(rows.block?.length).to.equal(chain.blocks().length - 1);
          // The chain as it was at some block before, and what our rows say of that time.
          const height = chain.blocks().length - 1;
          chain.rewind(anyBlock % height);
          const past = chain.head().number;
          expect(await statesAt(ours.db, past)).to.deep.equal(
            await replayed(chain, (db) => statesAt(db, past)),
          );
        } finally {
          await drop();
        }
      }),
      { numRuns: 4, endOnFailure: true, seed },
    );
    const { depths, ...kinds } = met;
    for (const [kind, times] of Object.entries(kinds)) expect(times, kind).to.be.greaterThan(0);
    expect(depths.filter((depth) => depth >= 500n).length, "reorgs of 500 blocks and more").to.be.greaterThan(
      3,
    );
  });

  it("compare equal to a rebuild beside them, and not when a row was changed", async () => {
    const random = randomFrom(7);
    const chain = createScriptedChain(random);
    const market = createMarket(random);
    for (let count = 0; count < 120; count++) mineNext(chain, market, 5);
    const { database, db, drop } = await setup();
    const exporter = startExporter(database, chain.client);
    try {
      await untilStored(db, chain);
      const compare = async () => {
        const connection = await db.connect();
        try {
          return await compareWithRebuild(
            {
              client: chain.client,
              deployment,
              definitions: loadDefinitions(),
              logger: silent,
              signal: new AbortController().signal,
            },
            connection,
          );
        } finally {
          connection.release(true);
        }
      };
      const clean = await compare();
      expect(clean.block).to.equal(chain.head().number);
      expect(clean.tables.filter(({ stored, rebuilt }) => stored !== rebuilt)).to.deep.equal([]);
      expect(clean.tables.find(({ table }) => table === "lease_history")?.rows).to.not.equal(0n);
      await transaction(db, async (connection) => {
        await connection.query("update chain.node set price_per_second = price_per_second + 1");
      });
      const changed = await compare();
      expect(
        changed.tables.filter(({ stored, rebuilt }) => stored !== rebuilt).map(({ table }) => table),
      ).to.deep.equal(["node_history"]);
    } finally {
      await exporter.stop();
      await drop();
    }
  });
});

/** Names the first rows that only one side has: whole tables would say too much. */
function requireSame(held: Record<string, string[]>, wanted: Record<string, string[]>): void {
  for (const table of Object.keys({ ...held, ...wanted })) {
    const [ours, theirs] = [held[table] ?? [], wanted[table] ?? []];
    const lacking = (rows: string[], others: Set<string>) =>
      rows.filter((row) => !others.has(row)).slice(0, 5);
    const difference = { more: lacking(ours, new Set(theirs)), less: lacking(theirs, new Set(ours)) };
    expect(difference, table).to.deep.equal({ more: [], less: [] });
    expect(ours.length, table).to.equal(theirs.length);
  }
}

/** What is read after a fresh export of the whole chain. */
async function replayed<Result>(
  chain: ScriptedChain,
  read: (db: Database) => Promise<Result>,
): Promise<Result> {
  const fresh = await setup();
  const exporter = startExporter(fresh.database, chain.client);
  try {
    await untilStored(fresh.db, chain);
    return await read(fresh.db);
  } finally {
    await exporter.stop();
    await fresh.drop();
  }
}

/** Every projection as of a block, by the query that the documentation gives. */
async function statesAt(db: Database, block: bigint): Promise<Record<string, string[]>> {
  const states: Record<string, string[]> = {};
  for (const { name } of loadDefinitions().projections) {
    const { rows } = await db.query<{ row: string }>(
      `select (to_jsonb(t) - 'valid_to')::text as row from chain.${name}_at($1) as t order by 1`,
      [block],
    );
    states[name] = rows.map(({ row }) => row);
  }
  return states;
}
