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
import { runs } from "../../support/runs.ts";
import { createMarket } from "./market.ts";
import { anyActs, createScenario, emptyCoverage } from "./scenario.ts";
import { deployment, dump, mineNext, setup, silent, startExporter, untilStored } from "./setup.ts";

describe("the exported rows", function () {
  this.timeout(600_000);

  const histories = runs(2, 4);

  it(`are those of a fresh replay after any reorgs, faults and kills, at the head and at any earlier block, ${histories} histories`, async () => {
    const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31));
    process.stdout.write(`    TEST_SEED=${seed}\n`);
    const coverage = emptyCoverage();
    await fc.assert(
      fc.asyncProperty(anyActs, fc.nat(), fc.nat(), async (acts, chainSeed, anyBlock) => {
        const { chain, exported, play, catchUp, stop, drop } = await createScenario(chainSeed, coverage);
        try {
          for (const step of acts) await play(step);
          await catchUp();
          await stop();
          const rows = await replayed(chain, dump);
          requireSame(await dump(exported.db), rows);
          expect(rows.block?.length).to.equal(chain.blocks().length - 1);
          // The chain as of an earlier block, and the stored states as of that block.
          const height = chain.blocks().length - 1;
          chain.rewind(anyBlock % height);
          const past = chain.head().number;
          expect(await statesAt(exported.db, past)).to.deep.equal(
            await replayed(chain, (db) => statesAt(db, past)),
          );
        } finally {
          await drop();
        }
      }),
      { numRuns: histories, endOnFailure: true, seed },
    );
    const { depths, ...kinds } = coverage;
    for (const [kind, times] of Object.entries(kinds)) expect(times, kind).to.be.greaterThan(0);
    // One in each history.
    expect(depths.filter((depth) => depth >= 500n).length, "reorgs of 500 blocks and more").to.be.at.least(
      histories,
    );
  });

  it("compare equal to a rebuilt copy, and not equal after a row is changed", async () => {
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

/** Reports the first rows that only one side has, because complete tables are too long to read. */
function requireSame(stored: Record<string, string[]>, expected: Record<string, string[]>): void {
  for (const table of Object.keys({ ...stored, ...expected })) {
    const actual = stored[table] ?? [];
    const wanted = expected[table] ?? [];
    const without = (rows: string[], others: Set<string>) =>
      rows.filter((row) => !others.has(row)).slice(0, 5);
    const difference = {
      unexpected: without(actual, new Set(wanted)),
      missing: without(wanted, new Set(actual)),
    };
    expect(difference, table).to.deep.equal({ unexpected: [], missing: [] });
    expect(actual.length, table).to.equal(wanted.length);
  }
}

/** Reads from a fresh export of the complete chain. */
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

/** Every projection as of a block, by the documented query. */
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
