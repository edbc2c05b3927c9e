import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectRedis } from "@ngpu/db/queue";
import { toJson } from "@ngpu/runtime/json";
import { readWorkspaceEnv } from "@ngpu/workspace/env";
import { Queue } from "bullmq";
import { expect } from "chai";
import type { Redis } from "ioredis";
import { startWorkspace } from "../../../services/workspace/workspace.ts";
import { testStateDir } from "../../support/parts.ts";
import { createTestContext, eventually, type TestContext } from "../support/context.ts";
import { accounts, privateKeyOf } from "./chain.ts";
import {
  addNode,
  assign,
  fund,
  lose,
  orders,
  type Published,
  publish,
  setKeeper,
  setStatus,
  update,
} from "./chainActions.ts";
import { openMarket, type TestMarket, untilLease } from "./market.ts";
import { progress, report } from "./nodeReports.ts";

describe("workspace, on a chain with Postgres and Redis", function () {
  this.timeout(60_000);
  let market: TestMarket;
  let services: TestContext[];
  let urls: string[];
  let redis: Redis;
  let dispenseQueue: Queue;
  let authorizationId: bigint;
  let nodeId: number;

  before(async () => {
    market = await openMarket();
    authorizationId = await fund(market.chain, 1_000_000n);
    nodeId = await addNode(market.chain, "one", 40);
    await market.exported();
    redis = connectRedis(market.redisUrl);
    dispenseQueue = new Queue("dispense", { connection: redis });
    // Two instances, so that duplicate steps would show.
    services = [createTestContext("workspace"), createTestContext("workspace")];
    urls = [];
    for (const context of services) urls.push((await startWorkspace(await settings(market), context)).url);
  });

  after(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await dispenseQueue.close();
    redis.disconnect();
    await market.stop();
  });

  const published = (given: { replicas?: number; expiresAt?: number } = {}) =>
    publish(market.chain, { authorizationId, ...given });

  const runningLease = async (workspace: Published, replica = 0) => {
    const ref = await assign(market.chain, workspace, { replica, nodeId, start: true });
    await report(market.chain, "one", ref, "running");
    return ref;
  };

  /** Waits until every due workspace was processed twice. */
  const sweptTwice = async () => {
    for (let round = 0; round < 2; round++) {
      const { workspaceId } = await published();
      await askedFor(workspaceId);
    }
  };

  const askedFor = (workspaceId: bigint) =>
    eventually(`job of workspace ${workspaceId} for dispense`, async () =>
      dispenseQueue.getJob(`dispense-${workspaceId}`),
    );

  it("queues a published workspace for dispense, and again after Redis lost its data", async () => {
    const { workspaceId } = await published();
    await askedFor(workspaceId);
    await redis.flushdb();
    await askedFor(workspaceId);
  });

  it("starts a lease that was assigned as held when its image is ready", async () => {
    const workspace = await published();
    const ref = await assign(market.chain, workspace, { nodeId, start: false });
    await progress(market.chain, "one", ref, "verified");
    await untilLease(market, ref, { state: "assigned", desired: "hold" });
    await report(market.chain, "one", ref, "ready");
    await untilLease(market, ref, { state: "ready", desired: "run" });
  });

  it("orders every lease of a stopped workspace to stop, places nothing, and starts all after its start", async () => {
    const workspace = await published({ replicas: 3 });
    const { workspaceId } = workspace;
    const first = await runningLease(workspace, 0);
    const lost = await runningLease(workspace, 1);
    // The owner's order names no lease.
    await orders.stop(market.chain, workspaceId);
    for (const ref of [first, lost]) await untilLease(market, ref, { desired: "stop" });
    await report(market.chain, "one", first, "stopped");
    await lose(market.chain, lost, workspace.spec);
    await untilLease(market, lost, { release_reason: "lost" });
    await sweptTwice();
    await redis.flushdb();
    await sweptTwice();
    expect(await dispenseQueue.getJob(`dispense-${workspaceId}`)).to.equal(undefined);
    const refused = await assign(market.chain, workspace, { replica: 1, nodeId, start: true }).catch(String);
    expect(refused).to.match(/refused/);
    await orders.start(market.chain, workspaceId);
    await untilLease(market, first, { desired: "run" });
    await askedFor(workspaceId);
  });

  it("places the replicas that were added to a stopped workspace after its start", async () => {
    const workspace = await published();
    const { workspaceId } = workspace;
    const ref = await runningLease(workspace);
    await orders.stop(market.chain, workspaceId, [ref]);
    await orders.scale(market.chain, workspaceId, 2);
    await market.exported();
    // A job from before the first assignment may be left.
    await redis.flushdb();
    await sweptTwice();
    expect(await dispenseQueue.getJob(`dispense-${workspaceId}`)).to.equal(undefined);
    await untilLease(market, ref, { desired: "stop", release_reason: null });
    await orders.start(market.chain, workspaceId, [ref]);
    await askedFor(workspaceId);
    await untilLease(market, ref, { desired: "run" });
  });

  it("deletes replicas above the wanted number and keeps the others", async () => {
    const workspace = await published({ replicas: 2 });
    const kept = await runningLease(workspace, 0);
    const surplus = await runningLease(workspace, 1);
    await orders.scale(market.chain, workspace.workspaceId, 1);
    await untilLease(market, surplus, { desired: "delete" });
    await untilLease(market, kept, { desired: "run", release_reason: null });
  });

  it("restarts nothing when an update changes only maxDown", async () => {
    const workspace = await published();
    const ref = await runningLease(workspace);
    const next = await update(market.chain, workspace, {}, { maxDown: 3 });
    await market.exported();
    await sweptTwice();
    await untilLease(market, ref, { desired: "run", release_reason: null });
    await update(market.chain, next, {}, { maxDown: 3, command: ["serve"] });
    await untilLease(market, ref, { desired: "delete" });
  });

  it("replaces the replicas of an updated workspace one by one", async () => {
    const workspace = await published({ replicas: 2 });
    const before = [await runningLease(workspace, 0), await runningLease(workspace, 1)] as const;
    const next = await update(market.chain, workspace, { image: `0x${"cd".repeat(32)}` });
    await untilLease(market, before[0], { desired: "delete" });
    await sweptTwice();
    await untilLease(market, before[1], { desired: "run", release_reason: null });
    await report(market.chain, "one", before[0], "deleted");
    await sweptTwice();
    await untilLease(market, before[1], { desired: "run" });
    await runningLease(next, 0);
    await untilLease(market, before[1], { desired: "delete" });
    await report(market.chain, "one", before[1], "deleted");
    const last = await runningLease(next, 1);
    await sweptTwice();
    await untilLease(market, last, { desired: "run", release_reason: null });
  });

  it("moves replicas off a node in maintenance without excluding the node", async () => {
    const drained = await addNode(market.chain, "drained", 4);
    const workspace = await published();
    const ref = await assign(market.chain, workspace, { nodeId: drained, start: true });
    await report(market.chain, "drained", ref, "running");
    await setStatus(market.chain, "drained", drained, "maintenance");
    await untilLease(market, ref, { desired: "delete" });
    await report(market.chain, "drained", ref, "deleted");
    await untilLease(market, ref, { release_reason: "deleted" });
    await askedFor(workspace.workspaceId);
    const { rows } = await market.pool.query("select from app.replacement where node_id = $1", [drained]);
    expect(rows).to.have.length(0);
  });

  it("deletes all replicas of a closed workspace in one transaction with two instances", async () => {
    const workspace = await published({ replicas: 3 });
    const refs = [];
    for (const replica of [0, 1, 2]) refs.push(await runningLease(workspace, replica));
    const before = await sentFor("workspace.delete");
    const refusedBefore = await refusedItems();
    await orders.close(market.chain, workspace.workspaceId);
    for (const ref of refs) await untilLease(market, ref, { desired: "delete" });
    await sweptTwice();
    expect(await sentFor("workspace.delete")).to.equal(before + 1n);
    expect(await refusedItems()).to.equal(refusedBefore);
  });

  it("closes an expired workspace and releases its leases", async () => {
    const { timestamp } = await market.chain.client.getBlock();
    const workspace = await published({ expiresAt: Number(timestamp) + 300 });
    const ref = await runningLease(workspace);
    await market.chain.pass(400);
    await untilLease(market, ref, { state: "released", release_reason: "expired" });
    await eventually("closed", async () => (await statusOf(workspace.workspaceId)) === "closed");
  });

  it("retries a refused step and stores the reason until it succeeds", async () => {
    const workspace = await published();
    const ref = await runningLease(workspace);
    await market.exported();
    await setKeeper(market.chain, accounts.workspace.address, false);
    await orders.close(market.chain, workspace.workspaceId);
    const key = `delete:${workspace.workspaceId}/0/1`;
    const step = () =>
      market.pool.query<{ refusal: string | null; attempt: number }>(
        "select refusal, attempt from app.step where key = $1",
        [key],
      );
    await eventually("refusal", async () => (await step()).rows[0]?.refusal?.includes("CallerNotAuthorized"));
    await setKeeper(market.chain, accounts.workspace.address, true);
    await untilLease(market, ref, { desired: "delete" });
    await eventually("step done", async () => (await step()).rows[0]?.refusal === null);
    expect((await step()).rows[0]?.attempt).to.be.greaterThan(1);
  });

  it("counts a replica without a node after the deadline as stuck", async () => {
    await published();
    await market.chain.pass(200);
    await eventually("stuck step in the metrics", async () => {
      const text = await (await fetch(`${urls[0]}/metrics`)).text();
      return /ngpu_workspace_stuck_steps_total\{step="place"[^}]*\} [1-9]/.test(text);
    });
  });

  it("settles and releases a lease that its funds no longer cover", async () => {
    const workspace = await published();
    const ref = await runningLease(workspace);
    await market.exported();
    await market.chain.pass(999_000);
    await market.chain.pass(1_500);
    await untilLease(market, ref, { state: "released", release_reason: "unfunded" });
  });

  async function refusedItems(): Promise<number | null> {
    return (await market.pool.query("select from chain.event_item_refused")).rowCount;
  }

  async function sentFor(kind: string): Promise<bigint> {
    const { rows } = await market.pool.query<{ count: bigint }>(
      "select count(*) from app.transaction where kind = $1",
      [kind],
    );
    return rows[0]?.count ?? 0n;
  }

  async function statusOf(workspaceId: bigint): Promise<string | undefined> {
    const { rows } = await market.pool.query<{ status: string }>(
      "select status from chain.workspace where workspace_id = $1",
      [workspaceId],
    );
    return rows[0]?.status;
  }
});

async function settings(market: TestMarket) {
  const file = join(await testStateDir(), "deployment.json");
  writeFileSync(file, toJson(market.chain.deployment));
  return readWorkspaceEnv({
    CHAIN_RPC_URLS: market.chain.url,
    DEPLOYMENT_FILE: file,
    DATABASE_URL: market.urlAs("ngpu_workspace"),
    REDIS_URL: market.redisUrl,
    SIGNER_KEY: privateKeyOf("workspace"),
    SWEEP_SECONDS: "0.2",
  });
}
