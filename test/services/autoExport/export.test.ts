import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { abis } from "@ngpu/contracts-sdk/abis";
import type { Logger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import pg from "pg";
import { type Hex, numberToHex, pad, parseAbi } from "viem";
import { evaluateHealth } from "../../../services/autoExport/decide.ts";
import {
  createScriptedChain,
  encodeEvent,
  eventLog,
  testContracts,
} from "../../packages/chain-reader/scriptedChain.ts";
import { spec } from "./fixtures.ts";
import { deployment, setup, startExporter, tipOf, until, untilStored, urlAs } from "./setup.ts";

const account = (value: number): Hex => pad(numberToHex(value), { size: 20 });
const registered = (nodeId: number) =>
  eventLog("ComputeNode", "NodeRegistered", {
    nodeId,
    key: account(nodeId),
    wallet: account(0),
    isBound: false,
    spec: spec(nodeId),
    pricePerSecond: 1n,
    gpuName: "",
    gpuUuids: [],
  });

describe("autoExport", function () {
  this.timeout(60_000);
  const undos: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const undo of undos.splice(0).reverse()) await undo();
  });

  async function market() {
    const made = await setup();
    undos.push(made.drop);
    return made;
  }

  function exporter(...args: Parameters<typeof startExporter>) {
    const started = startExporter(...args);
    undos.push(started.stop);
    return started;
  }

  it("notifies listeners of a change once its rows can be read, with the block and the tables", async () => {
    const { database, db } = await market();
    const chain = createScriptedChain();
    chain.mine([]);
    exporter(database, chain.client);
    await untilStored(db, chain);
    const listener = new pg.Client({ connectionString: urlAs(database, "ngpu_match") });
    await listener.connect();
    undos.push(() => listener.end());
    const notices: { block: string; tables: string[]; nodes: number | null }[] = [];
    listener.on("notification", async ({ payload }) => {
      const { rowCount } = await listener.query("select from chain.node");
      notices.push({ ...JSON.parse(payload ?? ""), nodes: rowCount });
    });
    await listener.query("listen chain_changed");
    chain.mine([registered(1)]);
    await until("the notice arrives", async () => notices.length > 0);
    expect(notices[0]).to.deep.equal({
      block: "2",
      hash: chain.head().hash,
      tables: ["event_node_registered", "node"],
      nodes: 1,
    });
  });

  it("grants services read access to everything and no write access", async () => {
    const { database, db } = await market();
    const chain = createScriptedChain();
    chain.mine([registered(1)]);
    exporter(database, chain.client);
    await untilStored(db, chain);
    const { rows: tables } = await db.query<{ name: string }>(
      "select oid::regclass::text as name from pg_class where relnamespace = 'chain'::regnamespace and pg_relation_is_updatable(oid, false) <> 0",
    );
    const { rows: roles } = await db.query<{ name: string }>(
      "select rolname as name from pg_roles where rolname like 'ngpu\\_%' and rolname <> 'ngpu_autoexport'",
    );
    expect(roles.map(({ name }) => name)).to.include.members(["ngpu_match", "ngpu_api", "ngpu_pomc"]);
    const writes = [
      ...tables.map(({ name }) => `delete from chain.${name}`),
      "update chain.node_past set node_id = 2",
      "update chain.node set node_id = 2",
      "insert into chain.head values ('safe', 1, '0x')",
      "truncate chain.block",
      "create table chain.mine (id int)",
      "alter table chain.block add column mine int",
      "drop table chain.block",
      "drop function chain.tier(bigint)",
    ];
    for (const { name: role } of roles) {
      const service = new pg.Client({ connectionString: urlAs(database, role) });
      await service.connect();
      undos.push(() => service.end());
      const { rows } = await service.query("select node_id, tier from chain.node_tiered");
      expect(rows, role).to.deep.equal([{ node_id: 1, tier: "unsafe" }]);
      for (const { name } of tables) await service.query(`select from chain.${name} limit 1`);
      for (const write of writes) {
        const refusal = await service.query(write).catch((error: unknown) => error);
        expect(refusal, `${role}: ${write}`).to.be.instanceOf(pg.DatabaseError);
        expect((refusal as pg.DatabaseError).code, `${role}: ${write}`).to.equal("42501");
      }
    }
  });

  it("reports the tier of a record", async () => {
    const { database, db } = await market();
    const chain = createScriptedChain();
    chain.mine(...Array.from({ length: 20 }, (_, index) => [registered(index + 1)]));
    exporter(database, chain.client);
    await untilStored(db, chain);
    const of = async (tier: string) =>
      (await db.query(`select max(number) as number from chain.block where chain.tier(number) = $1`, [tier]))
        .rows[0].number;
    await until("the tiers are those of the chain", async () => (await of("finalized")) === 12n);
    expect(await of("safe")).to.equal(16n);
    expect(await of("unsafe")).to.equal(20n);
    chain.mine([], []);
    await until(
      "the tiers advance",
      async () => (await of("finalized")) === 14n && (await of("safe")) === 18n,
    );
  });

  it("keeps the safe and finalized heads while the endpoint serves a fork with another chain id", async () => {
    const { database, db } = await market();
    const chain = createScriptedChain();
    chain.mine(...Array.from({ length: 12 }, () => []));
    let served = 11;
    let asked = 0;
    const request = (async (given: { method: string }) => {
      if (given.method !== "eth_chainId") return chain.client.request(given as never);
      asked += 1;
      return numberToHex(served);
    }) as (typeof chain.client)["request"];
    exporter(database, { ...chain.client, request, chain: { id: 10 } });
    await untilStored(db, chain);
    const heads = async () => {
      const { rows } = await db.query<{ tier: string; number: bigint }>(
        "select tier, number from head where tier <> 'unsafe' order by tier",
      );
      return rows.map(({ tier, number }) => [tier, Number(number)]);
    };
    await until("the chain id is asked for twice", async () => asked > 1);
    expect(await heads()).to.deep.equal([]);
    served = 10;
    await until("the heads are stored", async () => (await heads()).length === 2);
    expect(await heads()).to.deep.equal([
      ["finalized", 4],
      ["safe", 8],
    ]);
  });

  it("has one writer; another instance takes over within five seconds of its death, without a gap", async () => {
    const { database, db } = await market();
    const chain = createScriptedChain();
    chain.mine([registered(1)]);
    const first = exporter(database, chain.client);
    await untilStored(db, chain);
    const second = exporter(database, chain.client);
    await until("the second waits", async () => second.watch.facts().role === "standby");
    chain.mine([registered(2)]);
    await untilStored(db, chain);
    expect(second.watch.facts().role).to.equal("standby");
    expect(evaluateHealth({ ...second.watch.facts(), now: 0, blockSeconds: 2 }).ok).to.equal(true);
    await first.stop();
    chain.mine([registered(3)]);
    await until("the second stores blocks", async () => (await tipOf(db))?.hash === chain.head().hash, 5_000);
    expect(second.watch.facts().role).to.equal("leader");
    const { rows } = await db.query("select array_agg(number order by number) as numbers from chain.block");
    expect(rows[0].numbers.map(BigInt)).to.deep.equal([1n, 2n, 3n]);
  });

  it("recovers when its connections break", async () => {
    const { database, db } = await market();
    const chain = createScriptedChain();
    chain.mine([registered(1)]);
    exporter(database, chain.client);
    await untilStored(db, chain);
    await db.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'autoExport'",
    );
    chain.mine([registered(2)]);
    await untilStored(db, chain);
    const { rows } = await db.query("select count(*) as nodes from chain.node");
    expect(rows).to.deep.equal([{ nodes: 2n }]);
  });

  it("keeps its rows over a restart and rebuilds them for another deployment", async () => {
    const { database, db } = await market();
    const chain = createScriptedChain();
    chain.mine([registered(1)], [registered(2)]);
    const events: string[] = [];
    const note = (fields: { event: string }) => void events.push(fields.event);
    const logger: Logger = {
      debug: () => undefined,
      info: note,
      warn: note,
      error: note,
      child: () => logger,
    };
    await exportOnce();
    expect(events).to.include("schema_built");
    await exportOnce();
    expect(events).to.not.include("schema_built").and.not.include("schema_rebuilt");
    // The same chain with other contracts: events of the old contracts no longer belong to the market.
    const moved = { ...testContracts, ComputeNode: account(0xfeed) };
    chain.mine([{ ...registered(9), address: moved.ComputeNode }]);
    await exportOnce({ deployment: { ...deployment, contracts: moved } });
    expect(events).to.include("schema_rebuilt");
    const { rows } = await db.query("select node_id from chain.node");
    expect(rows).to.deep.equal([{ node_id: 9 }]);

    async function exportOnce(options = {}) {
      events.length = 0;
      const one = exporter(database, chain.client, { logger, ...options });
      await until("it leads", async () => one.watch.facts().role === "leader");
      await untilStored(db, chain);
      await one.stop();
    }
  });

  it("rebuilds its rows when the chain restarts from another first block", async () => {
    const { database, db } = await market();
    const chain = createScriptedChain();
    chain.mine([registered(1)], [registered(2)]);
    exporter(database, chain.client);
    await untilStored(db, chain);
    chain.rewind(2);
    chain.mine([registered(7)], [], []);
    await untilStored(db, chain);
    const { rows } = await db.query("select node_id, registered_block from chain.node");
    expect(rows).to.deep.equal([{ node_id: 7, registered_block: 1n }]);
    const start = chain.blocks()[1]?.hash;
    await until("the origin is the new first block", async () => {
      const { rows } = await db.query("select start_hash from chain.origin");
      return rows[0]?.start_hash === start;
    });
  });

  it("needs only the ABI for a new event and one SQL file for a new projection", async () => {
    const { database, db } = await market();
    const folder = mkdtempSync(join(tmpdir(), "projections-"));
    undos.push(() => rmSync(folder, { recursive: true }));
    const own = join(import.meta.dirname, "../../../services/autoExport/projections");
    for (const file of readdirSync(own)) copyFileSync(join(own, file), join(folder, file));
    writeFileSync(
      join(folder, "pause.sql"),
      `-- key: contract_address
create table pause (
  contract_address text not null,
  reason text not null
);

-- on Paused
select who, block_number, log_index, jsonb_build_object('reason', reason) as patch from event
`,
    );
    const added = parseAbi(["event Paused(address indexed who, string reason)"]);
    const definitions = loadDefinitions({ ...abis, Pomc: [...abis.Pomc, ...added] }, folder);
    const chain = createScriptedChain();
    chain.mine([encodeEvent(testContracts.Pomc, added[0], { who: account(5), reason: "upgrade" })]);
    exporter(database, chain.client, { definitions });
    await untilStored(db, chain);
    const event = await db.query("select who, reason, block_number from chain.event_paused");
    expect(event.rows).to.deep.equal([{ who: account(5), reason: "upgrade", block_number: 1n }]);
    const projection = await db.query("select contract_address, reason, block_number from chain.pause");
    expect(projection.rows).to.deep.equal([
      { contract_address: account(5), reason: "upgrade", block_number: 1n },
    ]);
  });

  it("sets aside a log that does not match the ABI, and stores all others", async () => {
    const { database, db } = await market();
    const chain = createScriptedChain();
    chain.mine([registered(1), { ...registered(2), data: "0x01" }, registered(3)]);
    exporter(database, chain.client);
    await untilStored(db, chain);
    const aside = await db.query(
      "select contract, event, code, block_number, log_index, data from chain.set_aside",
    );
    expect(aside.rows).to.deep.equal([
      {
        contract: "ComputeNode",
        event: "NodeRegistered",
        code: "event_undecodable",
        block_number: 1n,
        log_index: 1,
        data: "0x01",
      },
    ]);
    const { rows } = await db.query("select node_id from chain.node order by node_id");
    expect(rows).to.deep.equal([{ node_id: 1 }, { node_id: 3 }]);
  });
});
