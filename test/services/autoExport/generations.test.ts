import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { expect } from "chai";
import { keccak256 } from "viem";
import { compareWithRebuild } from "../../../services/autoExport/verify.ts";
import { accounts, freshChain, type TestChain } from "../workspace/chain.ts";
import { addNode, assign, fund, publish } from "../workspace/chainActions.ts";
import { claim, postEpoch, registerImage, replaceContracts } from "../workspace/generations.ts";
import { report } from "../workspace/nodeReports.ts";
import { dump, setup, silent, startExporter, tipOf, until } from "./setup.ts";

const owner = accounts.owner.address.toLowerCase();
const digest = keccak256("0x01");
const later = 2n ** 40n;

describe("autoExport after the market was replaced", function () {
  this.timeout(240_000);
  let previous: TestChain;
  let current: TestChain;
  let market: Awaited<ReturnType<typeof setup>>;
  let earlier: Record<string, string[]>;
  let now: Record<string, string[]>;
  const definitions = loadDefinitions();
  const rows = async (sql: string) => (await market.db.query(sql)).rows;

  /** Exports the chain up to its head, as a service started with the deployment's file does. */
  async function exportWith({ client, deployment }: TestChain): Promise<Record<string, string[]>> {
    const exporter = startExporter(market.database, client, { deployment });
    try {
      const { hash } = await client.getBlock();
      await until("the head is stored", async () => (await tipOf(market.db))?.hash === hash, 60_000);
      return await dump(market.db, definitions);
    } finally {
      await exporter.stop();
    }
  }

  before(async () => {
    market = await setup();
    previous = await freshChain();
    const nodeId = await addNode(previous, "one");
    const old = await publish(previous, { authorizationId: await fund(previous, 100_000n) });
    const ref = await assign(previous, old, { nodeId, start: true });
    await report(previous, "one", ref, "running");
    await registerImage(previous, digest, "host/old");
    const leaf = { account: owner, cumulative: 100n };
    const { proofs } = await postEpoch(previous, 1n, [leaf]);
    await claim(previous, 1n, leaf, proofs[0] ?? "0x");
    earlier = await exportWith(previous);

    current = await replaceContracts(previous, "market");
    // These transactions precede the export with the new deployment, as in a real replacement.
    const own = await publish(current, { authorizationId: await fund(current, 200_000n) });
    await registerImage(current, digest, "host/new");
    const next = await assign(current, own, { nodeId, start: true });
    await report(current, "one", next, "running");
    await current.pass(100);
    await report(previous, "one", ref, "stopped");
    await report(current, "one", next, "stopped");
    const grant = { account: owner, cumulative: 7n };
    const posted = await postEpoch(current, 2n, [grant]);
    await claim(current, 2n, grant, posted.proofs[0] ?? "0x");
    now = await exportWith(current);
  });

  after(() => market.drop());

  it("keeps the earlier rows and adds the later events of both generations", () => {
    const lacking = Object.entries(earlier).flatMap(([table, lines]) => {
      const held = new Set(now[table]);
      return table.endsWith("_history") ? [] : lines.filter((line) => !held.has(line));
    });
    expect(lacking).to.deep.equal([]);
    const generations = (table: string) =>
      (now[table] ?? []).map((line) => (JSON.parse(line) as { generation: number }).generation).sort();
    for (const table of ["event_deposited", "event_lease_opened", "event_epoch_posted", "event_claimed"]) {
      expect(generations(table), table).to.deep.equal([1, 2]);
    }
    expect(generations("event_node_registered")).to.deep.equal([1]);
  });

  it("keeps separate rows for each generation of an account, a node, a number and a digest", async () => {
    const accountsHeld = await rows(
      "select account, generation, deposited, settled > 0 as paid from escrow_account order by generation",
    );
    expect(accountsHeld).to.deep.equal([
      { account: owner, generation: 1, deposited: 100_000_000n, paid: true },
      { account: owner, generation: 2, deposited: 200_000_000n, paid: true },
    ]);
    const earned = await rows(
      `select node_earning.generation, earned = settled as fits from node_earning
       join escrow_account using (generation) order by generation`,
    );
    expect(earned).to.deep.equal([
      { generation: 1, fits: true },
      { generation: 2, fits: true },
    ]);
    expect(await rows("select generation, claimed from claim order by generation")).to.deep.equal([
      { generation: 1, claimed: 100n },
      { generation: 2, claimed: 7n },
    ]);
    expect(await rows("select number, generation, total from epoch order by generation")).to.deep.equal([
      { number: 1n, generation: 1, total: 100n },
      { number: 2n, generation: 2, total: 7n },
    ]);
    expect(await rows("select digest, generation, reference from image order by generation")).to.deep.equal([
      { digest, generation: 1, reference: "host/old" },
      { digest, generation: 2, reference: "host/new" },
    ]);
    expect(await rows("select workspace_id, generation from workspace order by generation")).to.deep.equal([
      { workspace_id: 1n, generation: 1 },
      { workspace_id: later + 1n, generation: 2 },
    ]);
  });

  it("lists every contract of every generation", async () => {
    const found = await rows(
      "select generation, address from contract where name = 'Escrow' order by generation",
    );
    expect(found).to.deep.equal([
      { generation: 1, address: previous.deployment.contracts.Escrow.toLowerCase() },
      { generation: 2, address: current.deployment.contracts.Escrow.toLowerCase() },
    ]);
    const others = await rows("select count(*)::int as count from contract where name = 'ComputeNode'");
    expect(others).to.deep.equal([{ count: 1 }]);
  });

  it("holds the same rows as a rebuild from the chain", async () => {
    const connection = await market.db.connect();
    try {
      const { client, deployment } = current;
      const signal = new AbortController().signal;
      const parts = { client, deployment, definitions, logger: silent, signal };
      const { tables } = await compareWithRebuild(parts, connection);
      expect(tables.filter(({ stored, rebuilt }) => stored !== rebuilt)).to.deep.equal([]);
      expect(tables.find(({ table }) => table === "escrow_account_history")?.rows).to.not.equal(0n);
    } finally {
      connection.release(true);
    }
  });
});
