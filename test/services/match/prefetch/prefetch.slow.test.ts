import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import type { Hex } from "viem";
import { runToEnd } from "../../../../scripts/embedded/command.ts";
import { rootDir } from "../../../support/parts.ts";
import { eventually } from "../../support/context.ts";
import { joinedAt, joinNode } from "../client.ts";
import { type Match, setupMatch, type TestMatch } from "../setup.ts";

describe("match: prefetched images", function () {
  this.timeout(180_000);
  let test: TestMatch;
  let match: Match;
  let registry: Server | undefined;
  let popular: Hex;
  let deployment: Deployment;
  let nodes: Awaited<ReturnType<typeof joinNode>>[];

  before(async () => {
    test = await setupMatch();
    const on = { PREFETCH: "1", PREFETCH_SECONDS: "1", PREFETCH_NODES: "2" };
    match = await test.startMatch("match-a", on);
    ({ deployment } = test.market);
    nodes = [];
    for (const price of [10n, 11n, 12n]) {
      const joined = await joinNode(match.url, deployment, { pricePerSecond: price });
      joined.peer.beat(deployment.parameters.slotSeconds);
      nodes.push(joined);
    }
  });

  after(async () => {
    registry?.closeAllConnections();
    registry?.close();
    await test.stop();
  });

  const node = (position: number) => joinedAt(nodes, position);
  const metric = async (name: string) => {
    const text = await (await fetch(`${match.httpUrl}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(name));
    return Number(line?.split(" ").at(-1) ?? 0);
  };
  const counted = (result: "hit" | "miss") =>
    metric(`ngpu_match_prefetch_assignments_total{result="${result}"`);
  const row = async (nodeId: number) => {
    const { rows } = await test.db.query("select status, reason from app.prefetch where node_id = $1", [
      nodeId,
    ]);
    return rows[0];
  };

  /** Serves a manifest of an image with one layer, as its registry. */
  const serveManifest = async (bytes: number): Promise<{ image: Hex; name: string }> => {
    const body = Buffer.from(JSON.stringify({ config: { size: 0 }, layers: [{ size: bytes }] }));
    const digest = createHash("sha256").update(body).digest("hex");
    const server = createServer((request, response) => {
      response.writeHead(request.url === `/v2/image/manifests/sha256:${digest}` ? 200 : 404).end(body);
    });
    registry = server;
    await once(server.listen(0, "127.0.0.1"), "listening");
    return { image: `0x${digest}`, name: `127.0.0.1:${(server.address() as AddressInfo).port}/image` };
  };

  it("orders images on the nodes that placement would choose, and counts hits and misses", async () => {
    const { image, name } = await serveManifest(50_000_000);
    popular = image;
    const published = () => test.chain.publish({ image }, undefined, 8, name);
    const first = await published();
    // A stranger's word about the digest.
    await test.keeper.send({
      kind: "test",
      contract: "DockerContract",
      functionName: "registerImage",
      args: [image, 9_000_000_000_000_000_000n, `0x${"0".repeat(64)}`, "stranger/image"],
    } as const);
    await eventually("the count has begun", async () => {
      const { rowCount } = await test.db.query("select from app.prefetch_tally");
      return rowCount === 1;
    });
    await test.chain.assign(first, 0, node(0).nodeId);
    await eventually("the first assignment is a miss", async () => (await counted("miss")) === 1);
    // The cheapest node downloads the image for its lease already; the second cheapest is next.
    const order = await node(1).peer.next("prefetch", undefined, 40_000);
    expect(order).to.deep.include({
      image: first.spec.image,
      reference: `${name}@sha256:${image.slice(2)}`,
      sizeBytes: 50_000_000n,
    });
    node(1).peer.send({ type: "prefetched", image: order.image, outcome: "present" });
    await eventually("it is recorded", async () => (await row(node(1).nodeId))?.status === "present");
    const second = await published();
    await test.chain.assign(second, 0, node(1).nodeId);
    await eventually("the second assignment is a hit", async () => (await counted("hit")) === 1);
    await test.chain.assign(second, 1, node(2).nodeId);
    await eventually("the third one is a miss", async () => (await counted("miss")) === 2);
    expect(await row(node(2).nodeId)).to.equal(undefined);
    expect(await metric('ngpu_match_prefetched_images_total{outcome="present"')).to.equal(1);
  });

  it("reports the hit rate in the CLI", async () => {
    const cli = [join(rootDir, "cli/index.ts"), "prefetch", "--database-url", test.database.url];
    const { code, output } = await runToEnd(process.execPath, cli, { cwd: rootDir, env: process.env });
    expect(code).to.equal(0);
    expect(output).to.include(
      "Hit rate: 33% of 3 assignments (1 found their image prefetched, 2 had to pull it).",
    );
    expect(output).to.match(/Images on nodes: 1 prefetched, 0 already present, \d in progress/);
  });

  it("counts an image evicted later as a hit, and ignores one that the node already had", async () => {
    const image = `0x${"77".repeat(32)}` as const;
    const workspace = await test.chain.publish({ image });
    const hits = await counted("hit");
    const misses = await counted("miss");
    const note = (position: number, status: string, evictedBlock: number | null) =>
      test.db.query(
        `insert into app.prefetch (node_id, image, reference, size_bytes, status, settled_block, evicted_block)
         values ($1, $2, 'example/image', 1, $3, 0, $4)`,
        [node(position).nodeId, image, status, evictedBlock],
      );
    await note(0, "evicted", 1_000_000_000);
    await note(1, "evicted", 1);
    await note(2, "held", null);
    await test.chain.assign(workspace, 0, node(0).nodeId);
    await test.chain.assign(workspace, 1, node(2).nodeId);
    await test.chain.assign(workspace, 2, node(1).nodeId);
    await eventually("the last one is a miss", async () => (await counted("miss")) === misses + 1);
    expect(await counted("hit")).to.equal(hits + 1);
    await test.db.query("delete from app.prefetch where image = $1", [image]);
  });

  it("records an eviction, and ignores results without an order", async () => {
    const image = popular;
    node(2).peer.send({ type: "prefetched", image, outcome: "present" });
    node(1).peer.send({ type: "prefetched", image, outcome: "evicted" });
    await eventually("it is recorded", async () => (await row(node(1).nodeId))?.status === "evicted");
    expect(await row(node(2).nodeId)).to.equal(undefined);
  });
});
