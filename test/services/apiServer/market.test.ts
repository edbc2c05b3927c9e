import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { toJson } from "@ngpu/runtime/json";
import { expect } from "chai";
import { echo } from "../gateway/node.ts";
import { insertRow, wordRow } from "../support/chainTables.ts";
import { addNode } from "../workspace/chainActions.ts";
import { type ApiMarket, probeImage, setup } from "./setup.ts";

type Node = { id: number; connected: boolean; total: unknown; free: Record<string, number>; region: string };

describe("apiServer: public data", () => {
  let api: ApiMarket;
  before(async function () {
    this.timeout(90_000);
    api = await setup();
  });
  after(() => api?.stop());

  it("returns the settings a node needs to join", async () => {
    const { body } = await api.client.get("/v1/network");
    expect(body).to.include({ chainId: 31337, probeImage, apiVersion: "1" });
    expect(body.rpcUrls).to.deep.equal([api.chain.url]);
    expect(body.matchUrls).to.deep.equal(["ws://127.0.0.1:9"]);
    expect(parseDeployment(body.deployment)).to.deep.equal(api.chain.deployment);
  });

  it("lists nodes with total and free resources, in pages", async () => {
    await addNode(api.chain, "first", 2);
    await api.addServingNode("second", echo("second"));
    await api.market.exported();
    const { body } = await api.client.get<{ nodes: Node[]; next: string | null }>("/v1/nodes?limit=1");
    expect(body.nodes).to.have.lengthOf(1);
    expect(body.nodes[0]).to.deep.include({
      id: 1,
      connected: false,
      region: "DE",
      total: { gpus: 0, cpu: 2, memoryMib: 2_048, diskGib: 20, ports: 2 },
    });
    expect(body.nodes[0]?.free).to.deep.equal(body.nodes[0]?.total);
    const rest = await api.client.get<{ nodes: Node[]; next: string | null }>(`/v1/nodes?after=${body.next}`);
    expect(rest.body.nodes.map((node) => [node.id, node.connected])).to.deep.equal([[2, true]]);
    expect(rest.body.next).to.equal(null);
  });

  it("shows a node with its measurement, session and uptime", async () => {
    await api.db.query(
      `insert into chain.heartbeat_slot (slot, encoding, node_count, bits, block_number)
       select slot, 'bitmap', 2, case when slot = 2 then '0x02' else '0x03' end, 1000000 from generate_series(1, 4) as slot`,
    );
    await api.db.query(
      `insert into chain.measurement (round_id, node_id, status, draws, draw_block, absent, opens_at, closes_at, submissions, down_mbps,
         up_mbps, latency_tenth_ms, ports_reachable, disk_free_gib, disk_write_mibps, expires_at, block_number)
       values (5, 1, 'finalized', '0x01', 99, false, 100, 200, 1, 900, 400, 125, 1, 50, 300, 3600, 1000000)`,
    );
    const { body } = await api.client.get<Record<string, unknown>>("/v1/nodes/1");
    expect(body.uptime).to.deep.equal({ slots: 4, present: 3, share: 0.75 });
    expect(body.measurement).to.include({ id: "5", downMbps: 900, latencyMs: 12.5, portsReachable: 1 });
    expect(body.session).to.equal(null);
    const round = await api.client.get("/v1/measurements/5");
    expect(round.body).to.deep.equal(body.measurement);
    expect((await api.client.get("/v1/measurements/6")).status).to.equal(404);
  });

  it("shows the state of a round, also of one that failed, and a failed one is no node's measurement", async () => {
    const states = ["requested", "submitted", "finalized", "failed"];
    for (const [index, state] of states.entries()) {
      await api.db.query(
        `insert into chain.measurement (round_id, node_id, status, draws, draw_block, opens_at, closes_at, submissions,
           block_number)
         values ($1, 2, $2, '0x01', 99, 100, 200, 0, 1000000)`,
        [10 + index, state],
      );
      const { status, body } = await api.client.get<{ status: string }>(`/v1/measurements/${10 + index}`);
      expect([status, body.status]).to.deep.equal([200, state]);
    }
    const { body } = await api.client.get<{ measurement: { id: string } }>("/v1/nodes/2");
    expect(body.measurement.id).to.equal("12");
    await api.db.query("delete from chain.measurement where round_id between 10 and 13");
  });

  it("shows a node's sick cards with the reason of each", async () => {
    const card = { code: "gpu_lost", id: "GPU-1", name: "NVIDIA H200", detail: "GPU is lost" };
    await api.db.query(
      `insert into app.session (key, session_id, role, subject_id, instance, host, version, sick_gpus)
       values ('0x01', gen_random_uuid(), 'node', 1, 'match-a', '127.0.0.1', '1', $1)`,
      [JSON.stringify([card])],
    );
    const { body } = await api.client.get<{ session: { sickGpus: unknown } }>("/v1/nodes/1");
    expect(body.session.sickGpus).to.deep.equal([card]);
    await api.db.query("delete from app.session where key = '0x01'");
  });

  it("counts a disputed slot as present and a challenged slot as absent", async () => {
    const at = { block_number: 2, block_hash: "0x", block_time: new Date(0), tx_hash: "0x" };
    const present = async () => {
      const { body } = await api.client.get<{ uptime: { present: number } }>("/v1/nodes/1");
      return body.uptime.present;
    };
    await insertRow(api.db, "chain.event_heartbeats_disputed", {
      ...at,
      log_index: 0,
      slot: 2,
      ...wordRow(1),
    });
    expect(await present()).to.equal(4);
    const challenged = { node_id: 1, first_slot: 2, last_slot: 3 };
    await insertRow(api.db, "chain.event_presence_challenged", { ...at, log_index: 1, ...challenged });
    expect(await present()).to.equal(2);
  });

  it("shows the withheld bonds of an account's nodes and when they are returned", async () => {
    const account = `0x${"b0".repeat(20)}`;
    const { daySeconds, heartbeatWindowSeconds } = api.chain.deployment.parameters;
    const close = async (number: number, throughDay: number, withheld: bigint, days: number) => {
      const document = toJson({ bond: { amount: 90n, days: 7, uptimePermille: 900, throughDay } });
      await api.db.query(
        "insert into app.epoch (number, root, total, data_hash, document) values ($1, null, 0, '0x', $2)",
        [number, document],
      );
      await api.db.query(
        "insert into app.node_bond (node_id, number, account, withheld, days) values (1, $1, $2, $3, $4)",
        [number, account, withheld, days],
      );
    };
    await close(101, 500, 40n, 2);
    await close(102, 501, 90n, 3);
    const { body } = await api.client.get(`/v1/rewards/${account}`);
    const returnsAt = (501 + 4 + 1) * daySeconds + heartbeatWindowSeconds;
    expect(body).to.deep.include({
      cumulative: "0",
      earned: "90",
      withheld: "90",
      bonds: [{ nodeId: 1, withheld: "90", days: 3, daysNeeded: 7, returnsAt }],
    });
    await api.db.query("update app.node_bond set withheld = 0, served_in = 102 where number = 102");
    expect((await api.client.get(`/v1/rewards/${account}`)).body).to.deep.include({
      withheld: "0",
      bonds: [],
    });
    await api.db.query("delete from app.epoch where number > 100");
  });

  it("returns the proof of the newest active epoch and the pending amount", async () => {
    const account = `0x${"a1".repeat(20)}`;
    const insert = async (number: number, cumulative: bigint, activatesAt: number, disabled = false) => {
      const root = `0x${String(number).repeat(40)}`;
      await api.db.query(
        `insert into app.epoch (number, root, total, data_hash, document) values ($1, $2, $3, $2, '{"epoch":1}')`,
        [number, root, cumulative],
      );
      await api.db.query(
        "insert into app.epoch_leaf (number, account, cumulative, proof) values ($1, $2, $3, $4)",
        [number, account, cumulative, toJson(root)],
      );
      await api.db.query(
        `insert into chain.epoch (number, generation, root, total, data_hash, activates_at, disabled, block_number)
         values ($1, 1, $2, $3, $2, $4, $5, 1)`,
        [number, root, cumulative, activatesAt, disabled],
      );
    };
    const now = Math.floor(Date.now() / 1000);
    await insert(1, 100n, now - 50);
    await insert(2, 250n, now + 1_000_000);
    await insert(3, 900n, now - 10, true);
    await api.db.query(
      "insert into chain.claim (account, generation, claimed, block_number) values ($1, 1, 30, 1)",
      [account],
    );
    const { body } = await api.client.get(`/v1/rewards/0x${"A1".repeat(20)}`);
    expect(body).to.deep.equal({
      account,
      pomc: api.chain.deployment.contracts.Pomc.toLowerCase(),
      epoch: "1",
      cumulative: "100",
      proof: `0x${"1".repeat(40)}`,
      activatesAt: now - 50,
      active: true,
      claimed: "30",
      claimable: "70",
      pending: "150",
      earned: "250",
      withheld: "0",
      previous: [],
      bonds: [],
    });
    const unknown = await api.client.get(`/v1/rewards/0x${"b2".repeat(20)}`);
    expect(unknown.body).to.deep.include({ epoch: null, cumulative: "0", proof: "0x", claimable: "0" });
    const epochs = await api.client.get<{ epochs: { number: string }[] }>("/v1/epochs");
    expect(epochs.body.epochs.map((epoch) => epoch.number)).to.deep.equal(["3", "2", "1"]);
    expect((await api.client.get("/v1/epochs/1")).body).to.deep.include({
      document: { epoch: 1 },
      total: "100",
    });
    expect((await api.client.get("/v1/rewards/0x12")).status).to.equal(400);
  });

  it("explains a node's reward from the epoch's document, and not where there is no such document", async () => {
    const account = `0x${"c3".repeat(20)}`;
    const document = {
      number: 4,
      emission: "1000",
      terms: {
        measurerBasisPoints: 0,
        taskBasisPoints: 0,
        nodeTaskBasisPoints: 4_500,
        classes: [{ weight: "1000000", rate: "2", ceiling: "1" }],
      },
      nodes: [{ nodeId: 7, account, reached: true, present: 3, counted: 2 }],
      classes: [{ class: 0, pot: "1000", weight: "20", granted: "40" }],
      shares: [{ nodeId: 7, account, class: 0, units: "10", slots: 2, amount: "40" }],
      tasks: [],
      bonds: [],
      bond: { amount: "0", epochs: 0, days: 7, uptimePermille: 900, throughDay: null },
    };
    await api.db.query(
      "insert into app.epoch (number, root, total, data_hash, document) values (4, '0x04', 40, '0x04', $1)",
      [toJson(document)],
    );
    await api.db.query(
      `insert into chain.epoch (number, generation, root, total, data_hash, activates_at, disabled, block_number)
       values (4, 1, '0x04', 40, '0x04', 1, false, 1)`,
    );
    const { body } = await api.client.get<{ sentences: string[] }>("/v1/epochs/4/nodes/7");
    expect(body).to.deep.include({ nodeId: 7, epoch: 4, account, earned: "40" });
    expect(body.sentences.join(" ")).to.include(
      "Its 10 units (thousandths of a core) in 2 slots are 20 unit-slots",
    );
    for (const [path, code] of [
      ["/v1/epochs/4/nodes/8", "node_not_found"],
      ["/v1/epochs/1/nodes/7", "epoch_not_found"],
      ["/v1/epochs/9/nodes/7", "epoch_not_found"],
    ] as const) {
      expect(await api.client.get(path)).to.deep.include({ status: 404 });
      expect((await api.client.get(path)).body).to.deep.include({ code });
    }
    expect((await api.client.get("/v1/epochs/4/nodes/x")).status).to.equal(400);
  });

  it("describes every endpoint in OpenAPI 3.1, with the limits it enforces", async () => {
    const { body } = await api.client.get<{
      openapi: string;
      paths: Record<string, Record<string, { security: unknown[]; requestBody?: unknown }>>;
      components: {
        schemas: Record<string, { properties: Record<string, Record<string, unknown>>; required: string[] }>;
      };
    }>("/openapi.json");
    expect(body.openapi).to.equal("3.1.0");
    expect(Object.keys(body.paths)).to.include.members([
      "/v1/auth/nonce",
      "/v1/accounts",
      "/v1/keys/{id}",
      "/v1/authorizations/typed-data",
      "/v1/deposits",
      "/v1/images",
      "/v1/workspaces/{id}/stop",
      "/v1/tasks/{id}",
      "/v1/chat/completions",
      "/v1/models",
      "/v1/network",
      "/v1/rewards/{address}",
    ]);
    expect(body.paths["/v1/workspaces"]?.post?.security).to.deep.equal([{ apiKey: [] }]);
    expect(body.paths["/v1/network"]?.get?.security).to.deep.equal([]);
    const newWorkspace = body.components.schemas.NewWorkspace;
    expect(newWorkspace?.properties.replicas).to.deep.include({
      default: 1,
      anyOf: [{ type: "integer", minimum: 1, maximum: 1_000 }, { $ref: "#/components/schemas/Scaling" }],
    });
    expect(newWorkspace?.required).to.include.members([
      "image",
      "ports",
      "cpu",
      "memoryMib",
      "diskGib",
      "maxPricePerSecond",
    ]);
    expect(newWorkspace?.required).not.to.include("policy");
  });

  it("serves a documentation page without external assets", async () => {
    const answer = await api.client.raw("/docs");
    const page = await answer.text();
    expect(answer.headers.get("content-security-policy")).to.include("script-src 'self'");
    const sources = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((found) => String(found[1]));
    expect(sources).to.have.lengthOf(3);
    for (const source of sources) {
      const asset = await api.client.raw(source);
      expect(asset.status, source).to.equal(200);
      expect((await asset.text()).length).to.be.greaterThan(50);
    }
  });

  it("lists every operation for language models in llms.txt", async () => {
    const answer = await api.client.raw("/llms.txt");
    expect(answer.headers.get("content-type")).to.equal("text/plain; charset=utf-8");
    const text = await answer.text();
    expect(text).to.match(/^# ngpu partner API\n\n> /);
    const { paths } = (await api.client.get<{ paths: Record<string, object> }>("/openapi.json")).body;
    for (const path of Object.keys(paths).filter((one) => one.startsWith("/v1/")))
      expect(text, path).to.include(`${path}](${api.url}${path}): `);
    expect((await api.client.post("/llms.txt")).status).to.equal(405);
  });

  it("serves health and metrics, and returns 404 for unknown paths", async () => {
    expect((await api.client.get("/healthz")).body).to.deep.equal({ ok: true });
    expect((await api.client.get("/metrics")).status).to.equal(404);
    const health = await (await fetch(`${api.internalUrl}/healthz`)).json();
    expect(health).to.deep.include({ ok: true, pid: process.pid });
    const metrics = await (await fetch(`${api.internalUrl}/metrics`)).text();
    expect(metrics).to.match(
      /ngpu_api_request_duration_seconds_count\{service="apiServer",route="\/v1\/network",status="200"\} 1/,
    );
    const unknown = await api.client.get("/v1/nothing");
    expect([unknown.status, unknown.body]).to.have.nested.property("[1].code", "endpoint_not_found");
    const broken = await api.client.raw("/v1/auth/nonce", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{",
    });
    expect(broken.status).to.equal(400);
  });
});
