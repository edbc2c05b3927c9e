import { expect } from "chai";
import fc from "fast-check";
import { loadDefinitions } from "../../../services/autoExport/definitions.ts";
import { compareWithRebuild } from "../../../services/autoExport/verify.ts";
import { transaction } from "../../../services/shared/db/pool.ts";
import { createScriptedChain, type Faults, randomFrom } from "../../shared/scriptedChain.ts";
import { createMarket } from "./market.ts";
import { deployment, dump, setup, silent, startExporter, tipOf, until, untilStored } from "./setup.ts";

const someFaults: fc.Arbitrary<Faults> = fc.record(
  {
    timeout: fc.constant(0.05),
    busy: fc.constant(0.05),
    broken: fc.constant(0.05),
    nullBlock: fc.constant(0.05),
    cut: fc.constant(0.1),
    otherFork: fc.constant(0.3),
    hidden: fc.constant(0.3),
    lag: fc.constant(0.2),
    rangeLimit: fc.constantFrom(5n, 20n),
  },
  { requiredKeys: [] },
);

const act = fc.oneof(
  // It gets to the head, so that a reorg that comes next takes rows away.
  fc.record({ type: fc.constant("catchUp" as const) }),
  fc.record({ type: fc.constant("mine" as const), blocks: fc.integer({ min: 1, max: 40 }) }),
  fc.record({
    type: fc.constant("reorg" as const),
    depth: fc.integer({ min: 1, max: 60 }),
    blocks: fc.integer({ min: 0, max: 60 }),
    empty: fc.boolean(),
  }),
  fc.record({ type: fc.constant("faults" as const), faults: someFaults }),
  // How far it gets before it is killed, in requests: in the middle of a backfill, of a reorg, or of nothing.
  fc.record({ type: fc.constant("kill" as const), after: fc.integer({ min: 1, max: 60 }) }),
);

describe("the exported rows", function () {
  this.timeout(180_000);

  it("are those of a fresh replay after any reorgs, faults and kills", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 2, maxLength: 8 }), fc.nat(), async (acts, seed) => {
        const random = randomFrom(seed);
        const chain = createScriptedChain(random);
        const market = createMarket(random);
        const mine = (blocks: number, empty = false) => {
          for (let count = 0; count < blocks; count++) {
            const { logs, settle } = market.next(chain.head().hash, empty ? 0 : Math.floor(random() * 6));
            chain.mine(logs);
            settle(chain.head().hash);
          }
        };
        mine(20);
        const ours = await setup();
        const fresh = await setup();
        const starting = () =>
          startExporter(ours.database, chain.client, { following: { interval: 2, maxRange: 30n } });
        let exporter = starting();
        const catchUp = async () => {
          chain.misbehave({});
          const stored = (await tipOf(ours.db))?.number ?? 0n;
          mine(Math.max(0, Number(stored - chain.head().number)) + 1);
          await untilStored(ours.db, chain);
        };
        try {
          for (const step of acts) {
            const before = chain.requests();
            if (step.type === "mine") mine(step.blocks);
            if (step.type === "faults") chain.misbehave(step.faults);
            if (step.type === "reorg") {
              chain.rewind(step.depth);
              mine(step.blocks, step.empty);
            }
            if (step.type === "catchUp") {
              await catchUp();
              continue;
            }
            const after = step.type === "kill" ? step.after : 30;
            await until("requests", async () => chain.requests() > before + after);
            if (step.type === "kill") {
              await kill(ours.db);
              await exporter.stop();
              exporter = starting();
            }
          }
          await catchUp();
          const replay = startExporter(fresh.database, chain.client, { following: { interval: 2 } });
          try {
            await untilStored(fresh.db, chain);
          } finally {
            await replay.stop();
          }
          const rows = await dump(ours.db);
          expect(rows).to.deep.equal(await dump(fresh.db));
          expect(rows.block?.length).to.equal(chain.blocks().length - 1);
        } finally {
          await exporter.stop();
          await ours.drop();
          await fresh.drop();
        }
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it("compare equal to a rebuild beside them, and not when a row was changed", async () => {
    const random = randomFrom(7);
    const chain = createScriptedChain(random);
    const market = createMarket(random);
    for (let count = 0; count < 120; count++) {
      const { logs, settle } = market.next(chain.head().hash, 5);
      chain.mine(logs);
      settle(chain.head().hash);
    }
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
        await connection.query("update chain.node_history set price_per_second = price_per_second + 1");
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

/** Cuts the exporter's connection wherever it is, as the death of its process would. */
async function kill(db: Awaited<ReturnType<typeof setup>>["db"]): Promise<void> {
  await db.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'autoExport' and datname = current_database()",
  );
}
