import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { insertRow, wordRow } from "../support/chainTables.ts";
import { addNode } from "../workspace/chainActions.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Market = {
  nodes: Record<string, number>;
  gpus: { total: number; free: number };
  models: Record<string, unknown>[];
  regions: unknown[];
  presence: unknown[];
  heads: { tier: string }[];
};
type Placements = { placements: { id: string }[]; next: string | null };

describe("apiServer: the market at a glance and a node's history", () => {
  let api: ApiMarket;
  before(async function () {
    this.timeout(180_000);
    api = await setup();
    const gpu = { name: "NVIDIA H200", vramMib: 143_771, computeCapability: 90 };
    await addNode(api.chain, "one", 2, gpu);
    await addNode(api.chain, "two", 4, gpu);
    await addNode(api.chain, "three", 1);
    await api.market.exported();
    await api.db.query(
      `insert into chain.heartbeat_slot (slot, encoding, node_count, bits, block_number)
       select slot, 'bitmap', 3, case when slot = 102 then '0x05' else '0x07' end, 1000000 from generate_series(100, 104) as slot
       where slot <> 103`,
    );
  });
  after(() => api?.stop());

  it("counts nodes, GPUs and prices by model and region, and who was present in each slot", async () => {
    const { body } = await api.client.get<Market>("/v1/market");
    expect(body.nodes).to.deep.equal({
      total: 3,
      online: 3,
      maintenance: 0,
      offline: 0,
      connected: 0,
      measured: 0,
    });
    expect(body.gpus).to.deep.equal({ total: 2, free: 2 });
    const price = { lowestPrice: "1000", medianPrice: "1000" };
    expect(body.models).to.deep.equal([
      { name: "NVIDIA H200", vramMib: 143_771, nodes: 2, online: 2, gpus: 2, freeGpus: 2, ...price },
      { name: null, vramMib: 0, nodes: 1, online: 1, gpus: 0, freeGpus: 0, ...price },
    ]);
    expect(body.regions).to.deep.equal([{ region: "DE", nodes: 3, online: 3 }]);
    const { slotSeconds } = api.chain.deployment.parameters;
    expect(body.presence).to.deep.equal(
      [100, 101, 102, 104].map((slot) => ({
        slot,
        startsAt: slot * slotSeconds,
        listed: 3,
        present: slot === 102 ? 2 : 3,
      })),
    );
    expect(body.heads.map(({ tier }) => tier)).to.have.members(["unsafe", "safe", "finalized"]);
  });

  it("lists the nodes of a wallet, and those that ask for it", async () => {
    const wallet = `0x${"ab".repeat(20)}`;
    const idsOf = async (query: string) =>
      (await api.client.get<{ nodes: { id: number }[] }>(`/v1/nodes?${query}`)).body.nodes.map(
        ({ id }) => id,
      );
    expect(await idsOf(`wallet=${wallet}`)).to.deep.equal([]);
    await api.db.query("update chain.node set wallet = $1 where node_id = 3", [wallet]);
    await api.db.query("update chain.node set nominated_wallet = $1 where node_id = 1", [wallet]);
    expect(await idsOf(`wallet=0x${"AB".repeat(20)}`)).to.deep.equal([1, 3]);
    expect(await idsOf(`wallet=${wallet}&after=1`)).to.deep.equal([3]);
    expect((await api.client.get("/v1/nodes?wallet=0x1")).status).to.equal(400);
    await api.db.query("update chain.node set wallet = null, nominated_wallet = null");
  });

  it("lists a node's leases, newest first, page by page", async () => {
    await api.db.query(
      `insert into chain.assignment (workspace_id, replica, lease, node_id, fence, state, desired, price_per_second, sequence,
         decided_block, assigned_block, assigned_block_hash, block_number, release_reason)
       select 7, 0, lease, 2, '0x', case when lease < 3 then 'released' else 'running' end, 'run', 1000, 1, 1, lease + 10, '0x',
         lease + 10, case when lease < 3 then 'lost' end from generate_series(1, 3) as lease`,
    );
    type Leases = { leases: { lease: number; releaseReason: string | null }[]; next: string | null };
    const read = async (query: string) => (await api.client.get<Leases>(`/v1/nodes/2/leases?${query}`)).body;
    const first = await read("limit=2");
    expect(first.leases.map(({ lease, releaseReason }) => [lease, releaseReason])).to.deep.equal([
      [3, null],
      [2, "lost"],
    ]);
    expect(first.next).to.equal("12.7.0.2");
    const rest = await read(`limit=2&after=${first.next}`);
    expect(rest.leases.map(({ lease }) => lease)).to.deep.equal([1]);
    expect(rest.next).to.equal(null);
    expect((await read("limit=5")).leases).to.have.lengthOf(3);
    expect((await api.client.get("/v1/nodes/2/leases?after=1")).status).to.equal(400);
    expect((await api.client.get("/v1/nodes/9/leases")).body).to.include({ code: "node_not_found" });
    await api.db.query("delete from chain.assignment where workspace_id = 7");
  });

  it("draws a node's slots: present, absent, and those without a record of it", async () => {
    const slotsOf = async (path: string) => (await api.client.get<Record<string, unknown>>(path)).body;
    const { slotSeconds } = api.chain.deployment.parameters;
    expect(await slotsOf("/v1/nodes/2/slots")).to.deep.equal({
      nodeId: 2,
      firstSlot: 100,
      slotSeconds,
      slots: "110-1",
    });
    expect(await slotsOf("/v1/nodes/1/slots")).to.include({ slots: "111-1" });
    expect(await slotsOf("/v1/nodes/2/slots?limit=2")).to.include({ firstSlot: 103, slots: "-1" });
    const at = { block_number: 2, block_hash: "0x", block_time: new Date(0), tx_hash: "0x" };
    await insertRow(api.db, "chain.event_heartbeats_disputed", {
      ...at,
      log_index: 0,
      slot: 102,
      ...wordRow(2),
    });
    const challenged = { node_id: 2, first_slot: 104, last_slot: 104 };
    await insertRow(api.db, "chain.event_presence_challenged", { ...at, log_index: 1, ...challenged });
    expect(await slotsOf("/v1/nodes/2/slots")).to.include({ slots: "111-0" });
    expect((await api.client.get("/v1/nodes/9/slots")).body).to.include({ code: "node_not_found" });
    expect((await api.client.get("/v1/nodes/1/slots?limit=1441")).status).to.equal(400);
  });

  it("lists a node's measurement rounds, newest first, in pages", async () => {
    for (const round of [5, 6, 7]) {
      await api.db.query(
        `insert into chain.measurement (round_id, node_id, status, draws, draw_block, absent, opens_at, closes_at, submissions,
           down_mbps, expires_at, block_number) values ($1, 1, 'finalized', '0x01', 99, false, 1, 2, 1, $1, 3, 1000000)`,
        [round],
      );
    }
    const pageOf = async (query: string) =>
      (
        await api.client.get<{ measurements: { id: string }[]; next: string | null }>(
          `/v1/nodes/1/measurements${query}`,
        )
      ).body;
    const first = await pageOf("?limit=2");
    expect(first.measurements.map(({ id }) => id)).to.deep.equal(["7", "6"]);
    const second = await pageOf(`?limit=2&after=${first.next}`);
    expect(second.measurements.map(({ id }) => id)).to.deep.equal(["5"]);
    expect(second.next).to.equal(null);
    expect((await api.client.get("/v1/nodes/9/measurements")).status).to.equal(404);
  });

  it("lists decided placements, newest first, in pages without gaps when many were decided at once", async () => {
    const ids = Array.from({ length: 5 }, () => randomUUID()).sort();
    for (const [replica, id] of ids.entries()) {
      await api.db.query(
        `insert into app.placement (request_id, workspace_id, replica, excluded, status, block_number, node_id, requested_at,
           answered_at) values ($1, 1, $2, '{}', 'used', 12, 1, '2026-01-01', '2026-01-01 00:00:00.123456')`,
        [id, replica],
      );
    }
    const seen: string[] = [];
    for (let after: string | null = ""; after !== null; ) {
      const query: string = after === "" ? "" : `&after=${after}`;
      const { body }: { body: Placements } = await api.client.get<Placements>(
        `/v1/placements?limit=2${query}`,
      );
      seen.push(...body.placements.map(({ id }) => id));
      after = body.next;
    }
    expect(seen).to.deep.equal(ids.toReversed());
    expect((await api.client.get("/v1/placements?after=1")).status).to.equal(400);
  });
});
