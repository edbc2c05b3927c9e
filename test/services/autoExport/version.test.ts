import { type Definitions, loadDefinitions } from "@ngpu/auto-export/definitions";
import { nextChainSchema } from "@ngpu/auto-export/version";
import { readChainSchema } from "@ngpu/db/chainSchema";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { createScriptedChain } from "../../packages/chain-reader/scriptedChain.ts";
import { setup, startExporter, until, untilStored } from "./setup.ts";

type Shape = Pick<Definitions, "tables" | "projections" | "hash">;

describe("the version of schema chain", () => {
  const today = loadDefinitions();
  const recorded = readChainSchema();
  const [first, ...others] = today.projections as [
    Definitions["projections"][number],
    ...Definitions["projections"],
  ];
  const changed = (change: Partial<Shape>): Shape => ({ ...today, hash: "another", ...change });

  it("is that of the current definitions: run `npm run chain:schema` after a change", () => {
    expect(nextChainSchema(recorded, today)).to.deep.equal(recorded);
  });

  it("increases and stays compatible when columns or tables are added", () => {
    const wider = { ...first, columns: [...first.columns, { name: "more", type: "text" }] };
    const next = nextChainSchema(recorded, changed({ projections: [wider, ...others] }));
    expect(next.version).to.equal(recorded.version + 1);
    expect(next.compatibleSince).to.equal(recorded.compatibleSince);
    expect(next.tables[first.name]).to.include({ more: "text" });
  });

  it("ends compatibility when a column is removed or has another type, or a table is removed", () => {
    const narrower = { ...first, columns: first.columns.slice(1) };
    const [column, ...rest] = first.columns as [{ name: string; type: string }];
    const other = { ...first, columns: [{ ...column, type: "other" }, ...rest] };
    for (const projections of [[narrower, ...others], [other, ...others], others]) {
      const next = nextChainSchema(recorded, changed({ projections }));
      expect(next).to.deep.include({
        version: recorded.version + 1,
        compatibleSince: recorded.version + 1,
      });
    }
  });

  it("ends compatibility when the change is declared breaking", () => {
    const next = nextChainSchema(recorded, changed({}), true);
    expect(next.compatibleSince).to.equal(recorded.version + 1);
  });
});

describe("autoExport on a schema of another version", () => {
  const definitionsOf = (version: number, hash: string) => ({
    ...loadDefinitions(undefined, undefined, { version, compatibleSince: 1 }),
    hash,
  });
  let market: Awaited<ReturnType<typeof setup>>;
  beforeEach(async () => {
    market = await setup();
  });
  afterEach(() => market.drop());

  it("rebuilds an older schema, and leaves a newer one to the version that built it", async () => {
    const { database, db } = market;
    const chain = createScriptedChain();
    chain.mine([], []);
    const built = async () =>
      (await db.query("select version, compatible_since, definitions from chain.origin")).rows[0];
    const run = async (version: number) => {
      const exporter = startExporter(database, chain.client, {
        definitions: definitionsOf(version, `d${version}`),
      });
      await until("it leads", async () => exporter.watch.facts().role === "leader");
      await untilStored(db, chain);
      await exporter.stop();
    };
    await run(7);
    expect(await built()).to.deep.equal({ version: 7, compatible_since: 1, definitions: "d7" });
    await run(8);
    expect(await built()).to.include({ version: 8, definitions: "d8" });

    const older = startExporter(database, chain.client, { definitions: definitionsOf(7, "d7") });
    const error = await older.ended;
    await older.stop();
    expect(error).to.be.instanceOf(FatalError);
    expect(error).to.include({ code: "chain_schema_newer" });
    expect(String((error as FatalError).hint)).to.include("Update autoExport");
    expect(await built()).to.include({ version: 8, definitions: "d8" });
  });
});
