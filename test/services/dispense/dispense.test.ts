import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectRedis, enqueue } from "@ngpu/db/queue";
import { readDispenseEnv } from "@ngpu/dispense/env";
import { toJson } from "@ngpu/runtime/json";
import { Queue } from "bullmq";
import { expect } from "chai";
import type { Redis } from "ioredis";
import { takeBatch } from "../../../services/dispense/batches.ts";
import type { PlacementLimits } from "../../../services/dispense/decide.ts";
import { startDispense } from "../../../services/dispense/dispense.ts";
import { loadPlacementFacts } from "../../../services/dispense/store.ts";
import { testStateDir } from "../../support/parts.ts";
import { createTestContext, eventually, type TestContext } from "../support/context.ts";
import { privateKeyOf } from "../workspace/chain.ts";
import { addNode, fund, lose, orders, publish } from "../workspace/chainActions.ts";
import { openMarket, type TestMarket, untilLease } from "../workspace/market.ts";
import { progress, report } from "../workspace/nodeReports.ts";
import { answerPlacements, type Choose } from "./match.ts";

describe("dispense, on a chain with Postgres and Redis", function () {
  this.timeout(60_000);
  let market: TestMarket;
  let redis: Redis;
  let dispenseQueue: Queue;
  let authorizationId: bigint;
  let urls: string[];
  let services: TestContext[];
  let stopMatch: (() => Promise<void>) | undefined;
  let nodes: { big: number; other: number; small: number };

  before(async () => {
    market = await openMarket();
    authorizationId = await fund(market.chain, 1_000_000n);
    nodes = {
      big: await addNode(market.chain, "big", 40),
      other: await addNode(market.chain, "other", 40),
      small: await addNode(market.chain, "small", 1),
    };
    await market.exported();
    redis = connectRedis(market.redisUrl);
    dispenseQueue = new Queue("dispense", { connection: redis });
    services = [createTestContext("dispense"), createTestContext("dispense")];
    urls = [];
    for (const context of services) urls.push((await startDispense(await settings(market), context)).url);
  });

  afterEach(async () => {
    await stopMatch?.();
    stopMatch = undefined;
  });

  after(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await dispenseQueue.close();
    redis.disconnect();
    await market.stop();
  });

  const matchBy = (choose: Choose) => {
    stopMatch = answerPlacements(market, redis, choose);
  };

  /** Publishes a workspace and queues it, as the service workspace does. */
  const published = async (replicas = 1) => {
    const workspace = await publish(market.chain, { authorizationId, replicas });
    await market.exported();
    await handOver(workspace.workspaceId);
    return workspace;
  };

  const handOver = (workspaceId: bigint) => enqueue(dispenseQueue, { workspaceId: String(workspaceId) });
  const lease = (workspaceId: bigint, replica = 0, number = 1) => ({ workspaceId, replica, lease: number });

  it("assigns and starts each replica once with two instances", async () => {
    matchBy(() => nodes.big);
    const { workspaceId } = await published(5);
    for (const replica of [0, 1, 2, 3, 4]) {
      await untilLease(market, lease(workspaceId, replica), { node_id: nodes.big, desired: "run" });
    }
    await eventually("placements used", async () => (await placementsOf(workspaceId)).every(isUsed));
    expect(await placementsOf(workspaceId)).to.have.length(5);
    const { rows } = await market.pool.query("select from chain.event_item_refused");
    expect(rows).to.have.length(0);
    const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
    expect(texts.join()).to.match(/ngpu_dispense_publish_to_assigned_seconds_count\{[^}]*\} [1-5]\b/);
  });

  it("limits concurrent transfers to a node and assigns the others afterwards", async () => {
    const busy = await addNode(market.chain, "busy", 20);
    matchBy(() => busy);
    const { workspaceId } = await published(18);
    const held = () =>
      market.pool.query<{ replica: number; lease: number }>(
        "select replica, lease from chain.assignment where workspace_id = $1 order by replica",
        [workspaceId],
      );
    await eventually("sixteen assigned, two answered", async () => {
      const waiting = (await placementsOf(workspaceId)).filter(({ status }) => status === "answered");
      return waiting.length === 2 && (await held()).rows.length === 16;
    });
    const [first] = (await held()).rows;
    if (first === undefined) throw new Error("Sixteen were assigned.");
    await progress(market.chain, "busy", lease(workspaceId, first.replica), "downloaded");
    await eventually("another one follows", async () => (await held()).rows.length === 17);
    // The image is on the node, so no transfer is needed any more.
    await report(market.chain, "busy", lease(workspaceId, first.replica), "ready");
    await eventually("all are assigned", async () => (await held()).rows.length === 18);
    // So that none of them is replaced when the clock advances below.
    await orders.close(market.chain, workspaceId);
  });

  it("tries another node when the chain refuses one, and stores the reason", async () => {
    matchBy(({ excluded }) => (excluded.includes(nodes.small) ? nodes.other : nodes.small));
    const { workspaceId } = await published(2);
    await eventually("both replicas assigned", async () => {
      const used = (await placementsOf(workspaceId)).filter(isUsed);
      return used.length === 2;
    });
    const placements = await placementsOf(workspaceId);
    const refused = placements.filter(({ status }) => status === "refused");
    expect(refused).to.have.length(1);
    expect(refused[0]?.refusal).to.match(/^NodeCapacityExceeded\(/);
    expect(refused[0]?.node_id).to.equal(nodes.small);
    const last = placements.at(-1);
    expect(last).to.deep.include({ status: "used", node_id: nodes.other, excluded: [nodes.small] });
    const events = await eventsOf(workspaceId);
    expect(events.map(({ code, node_id }) => [code, node_id])).to.deep.equal([
      ["assignment_refused", nodes.small],
    ]);
    expect(events[0]?.details).to.deep.equal({ refusal: refused[0]?.refusal });
  });

  it("stores an impossible placement and retries when the fleet changes", async () => {
    let found: number | null = null;
    matchBy(() => found);
    const { workspaceId } = await published();
    await eventually("impossible", async () =>
      (await placementsOf(workspaceId)).some(({ status }) => status === "impossible"),
    );
    found = nodes.big;
    await addNode(market.chain, "late", 1);
    await untilLease(market, lease(workspaceId), { node_id: nodes.big });
    const statuses = (await placementsOf(workspaceId)).map(({ status }) => status);
    expect(statuses[0]).to.equal("impossible");
  });

  it("requests no node for a stopped workspace until its owner starts it", async () => {
    matchBy(() => nodes.big);
    const { workspaceId, spec } = await published();
    await untilLease(market, lease(workspaceId), { desired: "run" });
    await report(market.chain, "big", lease(workspaceId), "running");
    await orders.stop(market.chain, workspaceId, [lease(workspaceId)]);
    await lose(market.chain, lease(workspaceId), spec);
    await market.exported();
    const limits = { attemptsWindow: 60, avoidReplaced: 60 } as PlacementLimits;
    const isOpen = async () => (await loadPlacementFacts(market.pool, workspaceId, limits))?.open;
    expect(await isOpen()).to.equal(false);
    await orders.start(market.chain, workspaceId);
    await market.exported();
    expect(await isOpen()).to.equal(true);
    await handOver(workspaceId);
    await untilLease(market, lease(workspaceId, 0, 2), { desired: "run" });
  });

  it("moves a failed replica to another node and stores the reason", async () => {
    matchBy(({ excluded }) => (excluded.includes(nodes.big) ? nodes.other : nodes.big));
    const { workspaceId } = await published();
    await untilLease(market, lease(workspaceId), { node_id: nodes.big });
    await report(market.chain, "big", lease(workspaceId), "failed", "image is broken");
    await market.chain.pass(30);
    await untilLease(market, lease(workspaceId), { state: "released", release_reason: "replaced" });
    await handOver(workspaceId);
    await untilLease(market, lease(workspaceId, 0, 2), { node_id: nodes.other });
    expect(await replacementsOf(workspaceId)).to.deep.equal([
      { lease: 1n, node_id: BigInt(nodes.big), reason: "the node reported a failure: image is broken" },
    ]);
    expect(await eventsOf(workspaceId)).to.deep.equal([
      {
        code: "replica_replaced",
        replica: 0,
        lease: 1n,
        node_id: nodes.big,
        count: 1n,
        details: { why: "the node reported a failure: image is broken" },
      },
    ]);
  });

  it("replaces a stalled download, first with a delete order, then with a release", async () => {
    matchBy(({ excluded }) => (excluded.includes(nodes.big) ? nodes.other : nodes.big));
    const { workspaceId } = await published();
    await untilLease(market, lease(workspaceId), { node_id: nodes.big });
    await progress(market.chain, "big", lease(workspaceId), "downloading");
    await market.chain.pass(200);
    await untilLease(market, lease(workspaceId), { desired: "delete" });
    await market.chain.pass(300);
    await untilLease(market, lease(workspaceId), { state: "released", release_reason: "silent" });
    await handOver(workspaceId);
    await untilLease(market, lease(workspaceId, 0, 2), { node_id: nodes.other });
    const [replacement] = await replacementsOf(workspaceId);
    expect(replacement?.reason).to.equal("no download progress within 180 s");
  });

  it("restores all jobs after Redis lost its data", async () => {
    // No match runs yet, so the request waits in the queue.
    const { workspaceId } = await published();
    await eventually("requested", async () => (await placementsOf(workspaceId)).length === 1);
    await redis.flushdb();
    matchBy(() => nodes.big);
    await untilLease(market, lease(workspaceId), { node_id: nodes.big });
    expect(await placementsOf(workspaceId)).to.have.length(1);
  });

  it("retries refused placements after Redis lost its data", async () => {
    let refused = 0;
    matchBy(() => {
      refused += 1;
      return null;
    });
    const { workspaceId } = await published();
    await eventually("impossible", () => refused > 0);
    await stopMatch?.();
    await redis.flushdb();
    matchBy(() => nodes.big);
    await addNode(market.chain, "later", 1);
    await untilLease(market, lease(workspaceId), { node_id: nodes.big });
  });

  /** Stores an answered placement. */
  const insertAnswered = (workspaceId: bigint, replica: number) =>
    market.pool.query(
      `insert into app.placement (request_id, workspace_id, replica, status, node_id, answered_at, block_number)
       select gen_random_uuid(), $1, $2, 'answered', $3, now(), number from chain.head where tier = 'unsafe'`,
      [workspaceId, replica, nodes.big],
    );

  it("sends nothing for a workspace closed or stopped or a replica removed in the meantime", async () => {
    await Promise.all(services.map((service) => service.stop()));
    const closed = await publish(market.chain, { authorizationId });
    const stopped = await publish(market.chain, { authorizationId });
    const scaled = await publish(market.chain, { authorizationId, replicas: 2 });
    await insertAnswered(closed.workspaceId, 0);
    await insertAnswered(stopped.workspaceId, 0);
    await insertAnswered(scaled.workspaceId, 1);
    await orders.close(market.chain, closed.workspaceId);
    await orders.stop(market.chain, stopped.workspaceId);
    await orders.scale(market.chain, scaled.workspaceId, 1);
    await market.exported();
    const limits = { batchSize: 10, perNode: 100, deployment: market.chain.deployment, runner: 1n };
    const standing = async (workspaceId: bigint) => {
      const [placement] = await placementsOf(workspaceId);
      return [placement?.status, placement?.refusal];
    };
    // The batch left by the stop above is taken first.
    await eventually("a batch was looked for among what is answered", async () => {
      await takeBatch(market.pool, limits);
      return (await standing(closed.workspaceId))[0] !== "answered";
    });
    expect(await standing(closed.workspaceId)).to.deep.equal(["refused", "The workspace was closed."]);
    expect(await standing(stopped.workspaceId)).to.deep.equal(["refused", "The workspace was stopped."]);
    expect(await standing(scaled.workspaceId)).to.deep.equal(["refused", "The workspace was scaled down."]);
    const { rowCount } = await market.pool.query(
      "select from app.assign_item join app.placement using (request_id) where workspace_id = any($1)",
      [[closed.workspaceId, stopped.workspaceId, scaled.workspaceId]],
    );
    expect(rowCount).to.equal(0);
    await orders.close(market.chain, scaled.workspaceId);
  });

  it("finishes a batch that another instance left behind", async () => {
    await Promise.all(services.map((service) => service.stop()));
    const workspace = await publish(market.chain, { authorizationId });
    await market.exported();
    const { workspaceId } = workspace;
    await insertAnswered(workspaceId, 0);
    // As if the process was killed before it sent; the batch left by the stop above is taken first.
    const limits = { batchSize: 10, perNode: 100, deployment: market.chain.deployment, runner: 1n };
    const taken = async () =>
      (await takeBatch(market.pool, limits))?.items.some((item) => item.workspaceId === workspaceId);
    await eventually("the batch with the placement", taken);
    services = [createTestContext("dispense")];
    for (const context of services) urls = [(await startDispense(await settings(market), context)).url];
    await untilLease(market, lease(workspaceId), { node_id: nodes.big });
    await eventually("used", async () => (await placementsOf(workspaceId)).every(isUsed));
  });

  it("gets no lease for a workspace that was stopped while its assignment was being sent", async () => {
    await Promise.all(services.map((service) => service.stop()));
    const { workspaceId } = await publish(market.chain, { authorizationId });
    await market.exported();
    await insertAnswered(workspaceId, 0);
    const limits = { batchSize: 10, perNode: 100, deployment: market.chain.deployment, runner: 1n };
    const taken = async () =>
      (await takeBatch(market.pool, limits))?.items.some((item) => item.workspaceId === workspaceId);
    await eventually("the batch with the placement", taken);
    await orders.stop(market.chain, workspaceId);
    services = [createTestContext("dispense")];
    for (const context of services) urls = [(await startDispense(await settings(market), context)).url];
    const refusal = await eventually(
      "the refusal",
      async () => (await placementsOf(workspaceId))[0]?.refusal ?? undefined,
    );
    expect(refusal).to.match(/^WorkspaceIsStopped/);
    await market.exported();
    const { rows } = await market.pool.query("select from chain.assignment where workspace_id = $1", [
      workspaceId,
    ]);
    expect(rows).to.have.length(0);
    // The refusal is no failed attempt: the start places the replica immediately.
    matchBy(() => nodes.big);
    await orders.start(market.chain, workspaceId);
    await market.exported();
    await handOver(workspaceId);
    await untilLease(market, lease(workspaceId), { desired: "run" });
  });

  it("serves its health", async () => {
    expect((await fetch(`${urls[0]}/healthz`)).status).to.equal(200);
  });

  type PlacementRow = { status: string; node_id: number; excluded: number[]; refusal: string | null };

  async function placementsOf(workspaceId: bigint): Promise<PlacementRow[]> {
    const { rows } = await market.pool.query<PlacementRow>(
      "select status, node_id, excluded, refusal from app.placement where workspace_id = $1 order by requested_at",
      [workspaceId],
    );
    return rows;
  }

  async function eventsOf(workspaceId: bigint) {
    const { rows } = await market.pool.query<{ code: string; node_id: number; details: unknown }>(
      `select code, replica, lease, node_id, count, details from app.workspace_event
       where workspace_id = $1 order by position`,
      [workspaceId],
    );
    return rows;
  }

  async function replacementsOf(workspaceId: bigint) {
    const { rows } = await market.pool.query<{ lease: bigint; node_id: bigint; reason: string }>(
      "select lease, node_id, reason from app.replacement where workspace_id = $1 order by lease",
      [workspaceId],
    );
    return rows;
  }
});

function isUsed({ status }: { status: string }): boolean {
  return status === "used";
}

async function settings(market: TestMarket) {
  const folder = join(await testStateDir(), "dispense");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, "deployment.json");
  writeFileSync(file, toJson(market.chain.deployment));
  return readDispenseEnv({
    CHAIN_RPC_URLS: market.chain.url,
    DEPLOYMENT_FILE: file,
    DATABASE_URL: market.urlAs("ngpu_dispense"),
    REDIS_URL: market.redisUrl,
    SIGNER_KEY: privateKeyOf("dispense"),
    SWEEP_SECONDS: "0.2",
    NODE_TRANSFERS: "16",
  });
}
