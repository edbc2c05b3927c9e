import { join } from "node:path";
import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { createChainClient } from "@ngpu/chain-reader/client";
import { expect } from "chai";
import { compareWithRebuild } from "../../../services/autoExport/verify.ts";
import { randomFrom } from "../../packages/chain-reader/scriptedChain.ts";
import { type AnvilMarket, startAnvilMarket } from "../../support/anvilMarket.ts";
import { testStateDir } from "../../support/parts.ts";
import { startRpcProxy } from "../../support/rpcProxy.ts";
import { deployment, type Exporter, setup, silent, startExporter, tipOf, until } from "./setup.ts";

const heads = { safe: 12, finalized: 30 };

describe("autoExport on a real node that reorganizes", function () {
  this.timeout(300_000);
  let node: AnvilMarket;
  let market: Awaited<ReturnType<typeof setup>>;
  let exporter: Exporter;
  const depths: bigint[] = [];
  const undos: (() => Promise<void>)[] = [];

  before(async () => {
    const random = randomFrom(60);
    node = await startAnvilMarket({ stateDir: join(await testStateDir(), "anvil-market"), random });
    undos.push(node.stop);
    const endpoint = await startRpcProxy({ target: node.url, random, heads });
    undos.push(endpoint.stop);
    market = await setup();
    undos.push(market.drop);
    const warn = ({ event, depth }: { event: string; depth?: bigint }) => {
      if (event === "chain_reorg") depths.push(depth ?? 0n);
    };
    await node.mine(150, 6);
    const client = createChainClient({ rpcUrls: [endpoint.url], chainId: 31_337 });
    exporter = startExporter(market.database, client, { logger: { ...silent, warn } });
    undos.push(exporter.stop);
    await untilStored();
  });

  after(async () => {
    for (const undo of undos.reverse()) await undo();
  });

  async function untilStored() {
    const { hash } = await node.head();
    await until("the head is stored", async () => (await tipOf(market.db))?.hash === hash, 120_000);
  }

  async function hashes(): Promise<string[]> {
    const { rows } = await market.db.query<{ hash: string }>("select hash from block");
    return rows.map(({ hash }) => hash);
  }

  /** Every table's hash equals that of a fresh replay, as `npm run export:verify` compares them. */
  async function requireExact() {
    const connection = await market.db.connect();
    try {
      const { block, tables } = await compareWithRebuild(
        {
          client: createChainClient({ rpcUrls: [node.url], chainId: 31_337 }),
          deployment,
          definitions: loadDefinitions(),
          logger: silent,
          signal: new AbortController().signal,
        },
        connection,
      );
      expect(block).to.equal((await node.head()).number);
      expect(tables.filter(({ stored, rebuilt }) => stored !== rebuilt)).to.deep.equal([]);
      expect(tables.find(({ table }) => table === "lease_history")?.rows).to.not.equal(0n);
    } finally {
      connection.release(true);
    }
  }

  for (const { what, depth, acts } of [
    { what: "60 blocks", depth: 60, acts: 6 },
    { what: "the same 60 blocks again", depth: 60, acts: 6 },
    { what: "140 blocks", depth: 140, acts: 6 },
    { what: "60 blocks by empty ones", depth: 60, acts: 0 },
  ]) {
    it(`holds a fresh replay's rows after a reorg of ${what}`, async () => {
      await node.mine(2, 6);
      await untilStored();
      depths.length = 0;
      const before = await hashes();
      await node.reorg(depth, acts);
      await untilStored();
      const after = new Set(await hashes());
      // An empty block that replaces an empty one may be identical; the reorg then begins above it.
      const gone = before.filter((hash) => !after.has(hash)).length;
      expect(gone).to.be.within(depth - 2, depth);
      expect(depths).to.deep.equal([BigInt(gone)]);
      await requireExact();
    });
  }

  it("holds a fresh replay's rows after two consecutive reorgs of which it observes only the last", async () => {
    await node.reorg(80, 6);
    await node.reorg(30, 6);
    await node.mine(1, 6);
    await untilStored();
    await requireExact();
  });

  it("stores the safe and finalized heads of the endpoint", async () => {
    await node.mine(3, 6);
    await untilStored();
    const { number } = await node.head();
    const expected = { safe: number - BigInt(heads.safe), finalized: number - BigInt(heads.finalized) };
    await until("the heads are those of the endpoint", async () => {
      const { rows } = await market.db.query<{ tier: keyof typeof expected; number: bigint }>(
        "select tier, number from head where tier <> 'unsafe'",
      );
      return rows.length === 2 && rows.every((row) => row.number === expected[row.tier]);
    });
  });
});
