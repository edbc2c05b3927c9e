import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { addNode } from "../workspace/chainActions.ts";
import type { Client } from "./client.ts";
import { join, newWorkspace } from "./partner.ts";
import { type ApiMarket, setup } from "./setup.ts";

type Explanation = {
  fitting: number;
  refused: Record<string, number>;
  messages: string[];
  possible: boolean;
};
type Failure = { code: string; detail: string; details: Explanation; errors?: unknown };

const manifest = JSON.stringify({ config: { size: 1 }, layers: [{ size: 2 }] });
const digest = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;

describe("apiServer: explaining placements", () => {
  let api: ApiMarket;
  let partner: Client;
  let registry: Server;
  let ownHost: string;
  before(async function () {
    this.timeout(120_000);
    registry = createServer((request, response) => {
      const found = request.url === `/v2/ngpu/chat/manifests/${digest}`;
      response.writeHead(found ? 200 : 404).end(found ? manifest : "{}");
    }).listen(0, "127.0.0.1");
    await once(registry, "listening");
    ownHost = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
    api = await setup({ explains: true, probeImage: `${ownHost}/ngpu/probe@sha256:${"0".repeat(64)}` });
    ({ partner } = await join(api, privateKeyToAccount(generatePrivateKey())));
    await addNode(api.chain, "one");
    await api.market.exported();
  });
  after(async () => {
    await api.stop();
    registry.closeAllConnections();
    registry.close();
  });

  it("refuses an image that the market's own registry lacks, and asks no other registry", async () => {
    const missing = `${ownHost}/ngpu/chat@sha256:${"cd".repeat(32)}`;
    const refused = await partner.post<Failure>("/v1/workspaces", { ...newWorkspace, image: missing });
    expect([refused.status, refused.body.code]).to.deep.equal([409, "image_not_found"]);
    const image = `${ownHost}/ngpu/chat@${digest}`;
    const { status, body } = await partner.post<{ id: string }>("/v1/workspaces", { ...newWorkspace, image });
    expect(status).to.equal(201);
    const path = `/v1/workspaces/${body.id}/update`;
    const update = await partner.post<Failure>(path, { image: missing });
    expect([update.status, update.body.code]).to.deep.equal([409, "image_not_found"]);
    expect((await partner.post("/v1/workspaces", newWorkspace)).status).to.equal(201);
  });

  it("refuses a price below every node's, with the lowest, unless it may wait", async () => {
    const cheap = { ...newWorkspace, maxPricePerSecond: "999" };
    const { status, body } = await partner.post<Failure>("/v1/workspaces", cheap);
    expect([status, body.code]).to.deep.equal([409, "price_too_low"]);
    expect(body.details).to.include({ lowestPrice: "1000", possible: false });
    const nowhere = await partner.post<Failure>("/v1/workspaces", { ...cheap, region: "JP" });
    expect(nowhere.body.code).to.equal("placement_impossible");
    expect((await partner.post("/v1/workspaces", { ...cheap, waitForNodes: true })).status).to.equal(201);
  });

  it("explains without a key, and skips a match instance that does not answer", async () => {
    const { status, body } = await api.client.post<Explanation>("/v1/match/explain", {
      ...newWorkspace,
      placement: { minDownMbps: 100 },
    });
    expect(status).to.equal(200);
    expect(body).to.deep.include({ fitting: 0, refused: { downMbps: 1 } });
    expect(body.messages).to.include("1 node rejected: download rate below 100 Mbit/s.");
  });

  it("rejects invalid placement preferences with the field's name", async () => {
    const { status, body } = await api.client.post<Failure>("/v1/match/explain", {
      ...newWorkspace,
      placement: { strategy: "luck" },
    });
    expect([status, body.code]).to.deep.equal([400, "request_invalid"]);
    expect(JSON.stringify(body.errors)).to.include("/placement/strategy");
  });

  it("refuses a workspace that no node could ever run, with the nearest node, unless it may wait", async () => {
    const impossible = { ...newWorkspace, region: "JP" };
    const { status, body } = await partner.post<Failure>("/v1/workspaces", impossible);
    expect([status, body.code]).to.deep.equal([409, "placement_impossible"]);
    expect(body.detail).to.include("The closest match is node 1: DE instead of JP.");
    expect(body.details.refused).to.deep.equal({ region: 1 });
    const waiting = await partner.post("/v1/workspaces", { ...impossible, waitForNodes: true });
    expect(waiting.status).to.equal(201);
  });

  it("stores the placement preferences in the hashed configuration and shows them", async () => {
    const placement = { strategy: "leastUsed", replicas: "pack", image: "prefer", minUptimePercent: 0 };
    const { body } = await partner.post<{ id: string }>("/v1/workspaces", { ...newWorkspace, placement });
    const { rows } = await api.db.query("select config from chain.workspace where workspace_id = $1", [
      body.id,
    ]);
    expect(JSON.parse(rows[0].config).placement).to.deep.equal(placement);
    const shown = await partner.get<{ config: { placement: unknown } }>(`/v1/workspaces/${body.id}`);
    expect(shown.body.config.placement).to.deep.equal(placement);
  });

  it("finds a GPU by its short name and sold size, and suggests names that the market has", async () => {
    await addNode(api.chain, "two", 4, {
      name: "NVIDIA GeForce RTX 4090",
      vramMib: 24_564,
      computeCapability: 89,
    });
    await api.market.exported();
    const ask = (gpu: object) =>
      api.client.post<Explanation & { gpuSuggestions?: string[] }>("/v1/match/explain", {
        ...newWorkspace,
        gpu,
      });
    for (const gpu of [
      { minVramGib: 24 },
      { minVramGib: 23.9 },
      { model: "RTX 4090" },
      { model: "4090 24gb" },
    ]) {
      expect((await ask(gpu)).body.fitting, JSON.stringify(gpu)).to.equal(1);
    }
    const { body } = await ask({ model: "RTX 4099" });
    expect(body).to.deep.include({ fitting: 0, gpuSuggestions: ["NVIDIA GeForce RTX 4090"] });
    expect(body.messages.at(-1)).to.equal(
      'No node has a GPU named "RTX 4099". Did you mean NVIDIA GeForce RTX 4090?',
    );
  });

  it("repeats a publication with its key although no node can run it any more", async () => {
    const headers = { "idempotency-key": "once" };
    const impossible = { ...newWorkspace, region: "FR", waitForNodes: true };
    const first = await partner.post("/v1/workspaces", impossible, headers);
    expect(first.status).to.equal(201);
    expect((await partner.post("/v1/workspaces", impossible, headers)).body).to.deep.equal(first.body);
  });
});
