import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { chainChannel, listenForChanges } from "@ngpu/db/listen";
import { expect } from "chai";
import { createScriptedChain, eventLog } from "../../packages/chain-reader/scriptedChain.ts";
import { startTcpProxy } from "../../support/tcpProxy.ts";
import { word } from "./fixtures.ts";
import { setup, silent, startExporter, until, untilStored, urlAs } from "./setup.ts";

const image = (number: number) =>
  eventLog("DockerContract", "ImageRegistered", {
    digest: word(number),
    owner: word(1, 20),
    sizeBytes: 1n,
    chunkRoot: word(2),
    ref: "host/name",
  });
const posterSet = eventLog("Pomc", "PosterSet", { poster: word(3, 20) });

/** The tables that `changed_since` and the views `…_tiered` cover. */
function all(): string[] {
  const { tables, projections } = loadDefinitions();
  return [...new Set([...tables.map(({ table }) => table), ...projections.map(({ name }) => name)])].sort();
}

describe("changes of the chain's tables", function () {
  this.timeout(60_000);
  const undos: (() => Promise<void> | void)[] = [];

  afterEach(async () => {
    for (const undo of undos.splice(0).reverse()) await undo();
  });

  async function exported() {
    const market = await setup();
    undos.push(market.drop);
    const chain = createScriptedChain();
    chain.mine([image(1)]);
    undos.push(startExporter(market.database, chain.client).stop);
    await untilStored(market.db, chain);
    const mined = async (...blocks: Parameters<typeof chain.mine>) => {
      chain.mine(...blocks);
      await untilStored(market.db, chain);
    };
    const since = async ({ number, hash }: { number: bigint; hash: string }) =>
      (await market.db.query("select * from chain.changed_since($1, $2)", [number, hash])).rows[0];
    return { ...market, chain, mined, since };
  }

  it("are listed since any block", async () => {
    const { chain, mined, since } = await exported();
    const first = chain.head();
    await mined([], []);
    const second = chain.head();
    expect(await since(first)).to.deep.equal({ block: second.number, hash: second.hash, tables: [] });
    await mined([image(2)]);
    const { tables } = await since(second);
    expect(tables).to.deep.equal(["event_image_registered", "image"]);
    expect((await since(chain.head())).tables).to.deep.equal([]);
  });

  it("include every table once the block is no longer on the chain", async () => {
    const { chain, mined, since } = await exported();
    await mined([image(2)], []);
    const left = chain.head();
    chain.rewind(2);
    await mined([], [], []);
    expect((await since(left)).tables).to.deep.equal(all());
  });

  it("are reported to a listener that reconnects: those it has missed, and no others", async () => {
    const { database, chain, mined } = await exported();
    const proxy = await startTcpProxy(new URL(urlAs(database, "ngpu_match")));
    undos.push(proxy.stop);
    const notices: (string | undefined)[] = [];
    const abort = new AbortController();
    undos.push(() => abort.abort());
    listenForChanges({
      url: proxy.url,
      channels: [chainChannel],
      logger: silent,
      signal: abort.signal,
      onNotice: (_channel, payload) => notices.push(payload),
    });
    await until("it listens", async () => notices.length === 1);
    expect(notices).to.deep.equal([undefined]);
    proxy.cut();
    await mined([image(2)], [], [image(3)], []);
    const head = chain.head();
    proxy.restore();
    await until("it is notified", async () => notices.length > 1);
    expect(JSON.parse(notices[1] ?? "")).to.deep.equal({
      block: String(head.number),
      hash: head.hash,
      tables: ["event_image_registered", "image"],
    });
    // The last block that it received is reorganized away while it is disconnected.
    proxy.cut();
    chain.rewind(2);
    await mined([posterSet], [], []);
    proxy.restore();
    await until("it is notified again", async () => notices.length > 2);
    expect(JSON.parse(notices[2] ?? "").tables).to.deep.equal(all());
    await mined([image(9)]);
    await until("it is notified of the next block", async () => notices.length > 3);
    expect(JSON.parse(notices[3] ?? "")).to.deep.include({ hash: chain.head().hash });
  });
});

describe("the tier of rows", function () {
  this.timeout(60_000);

  it("is a column of every event and every projection, with the block's hash and time and the log index", async () => {
    const { database, db, drop } = await setup();
    const chain = createScriptedChain();
    chain.mine(...Array.from({ length: 20 }, (_, index) => [image(100 + index), image(200 + index)]));
    const exporter = startExporter(database, chain.client);
    try {
      await untilStored(db, chain);
      const read = async (view: string) =>
        (
          await db.query(
            `select block_number, block_hash, block_time, log_index, tier from chain.${view} order by block_number, log_index`,
          )
        ).rows;
      await until("the tiers are known", async () => (await read("image_tiered"))[0]?.tier === "finalized");
      const expected = chain.blocks().flatMap(({ number, hash, timestamp, logs }) =>
        logs.map((_log, index) => ({
          block_number: number,
          block_hash: hash,
          block_time: new Date(Number(timestamp) * 1_000),
          log_index: index,
          tier: number <= 12n ? "finalized" : number <= 16n ? "safe" : "unsafe",
        })),
      );
      expect(await read("image_tiered")).to.deep.equal(expected);
      expect(await read("event_image_registered_tiered")).to.deep.equal(expected);
      const { rows: views } = await db.query<{ name: string }>(
        "select relname as name from pg_class where relnamespace = 'chain'::regnamespace and relname like '%\\_tiered'",
      );
      expect(views.map(({ name }) => name)).to.have.members(all().map((name) => `${name}_tiered`));
      for (const { name } of views)
        await db.query(`select block_hash, block_time, log_index, tier from chain.${name}`);
    } finally {
      await exporter.stop();
      await drop();
    }
  });
});
