import { randomUUID } from "node:crypto";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { assignmentStates, codeOf } from "@ngpu/contracts-sdk/enumNames";
import { connectRedis, enqueue, queues } from "@ngpu/db/queue";
import type { FleetIndex } from "@ngpu/placement/fleetIndex/fleetIndex";
import { findPlacement } from "@ngpu/queries/placements";
import { replayPlacement } from "@ngpu/queries/replay";
import { Queue } from "bullmq";
import { expect } from "chai";
import { type Hex, zeroHash } from "viem";
import { createFleetSync } from "../../../services/match/scheduling/fleetSync.ts";
import { runCli } from "../../support/runCli.ts";
import { eventually } from "../support/context.ts";
import { connect, joinedAt, joinNode } from "./client.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

/** The nodes without their location in the index. */
const plain = (index: FleetIndex) =>
  [...index.nodes()].map((node) => ({ ...node, slot: 0, group: null })).sort((a, b) => a.nodeId - b.nodeId);

describe("match: placement and failover", function () {
  this.timeout(180_000);
  let test: TestMatch;
  let match: Match;
  let deployment: Deployment;
  let nodes: Awaited<ReturnType<typeof joinNode>>[];
  let stopBeat: (() => void)[];
  const redises: { disconnect(): void }[] = [];

  before(async () => {
    test = await setupMatch();
    match = await test.startMatch("match-a", { LOSS_SECONDS: "2" });
    ({ deployment } = test.market);
    nodes = await Promise.all(
      Array.from({ length: 7 }, (_, index) =>
        joinNode(match.url, deployment, { pricePerSecond: BigInt(10 + index) }),
      ),
    );
    stopBeat = nodes.map(({ peer }) => peer.beat(deployment.parameters.slotSeconds));
  });

  after(async () => {
    for (const redis of redises) redis.disconnect();
    await test.stop();
  });

  const exported = (id: bigint) =>
    eventually(`workspace ${id} is exported`, async () => {
      const { rowCount } = await test.db.query("select from chain.workspace where workspace_id = $1", [id]);
      return rowCount === 1;
    });
  const ask = async (workspaceId: bigint, replica: number, excluded: number[] = []) => {
    const requestId = randomUUID();
    await test.db.query(
      "insert into app.placement (request_id, workspace_id, replica, excluded) values ($1, $2, $3, $4)",
      [requestId, workspaceId, replica, excluded],
    );
    return requestId;
  };
  const replay = async (requestId: string) => {
    const placement = await findPlacement(test.db, requestId);
    if (placement === undefined) throw new Error(`There is no placement ${requestId}.`);
    return replayPlacement(test.db, placement, deployment.parameters.waves);
  };
  const answer = (requestId: string) =>
    eventually("the request is answered", async () => {
      const { rows } = await test.db.query("select * from app.placement where request_id = $1", [requestId]);
      return rows[0]?.status === "requested" ? undefined : rows[0];
    });
  const priceOf = async (nodeId: number) => {
    const { rows } = await test.db.query("select price_per_second from chain.node where node_id = $1", [
      nodeId,
    ]);
    return rows[0].price_per_second as bigint;
  };
  const assignment = async (workspaceId: bigint) => {
    const { rows } = await test.db.query(
      "select node_id, state, release_reason, lost_until from chain.assignment where workspace_id = $1",
      [workspaceId],
    );
    return rows[0];
  };

  const absence = async (nodeId: number) => {
    const { rows } = await test.db.query<{ signal: string }>(
      "select signal from app.absence where node_id = $1",
      [nodeId],
    );
    return rows[0];
  };

  it("follows the chain by changes, with the same result as a rebuilt index", async () => {
    const followed: string[] = [];
    const follow = createFleetSync(test.db, deployment.parameters.waves, ({ type }) => followed.push(type));
    await follow();
    const workspace = await test.chain.publish();
    const node = joinedAt(nodes, 6);
    await test.chain.assign(workspace, 0, node.nodeId);
    const byChanges = await eventually("the assignment is followed", async () => {
      const { index } = await follow();
      return index.get(node.nodeId)?.workspaces.includes(workspace.id) ? index : undefined;
    });
    expect(followed[0]).to.equal("full");
    expect(followed.slice(1)).to.include("changed").and.not.include("full");
    await eventually("both are at one block", async () => {
      const kept = await follow();
      const fresh = await createFleetSync(test.db, deployment.parameters.waves)();
      if (kept.block.hash !== fresh.block.hash) return false;
      expect(plain(kept.index)).to.deep.equal(plain(fresh.index));
      return true;
    });
    expect(byChanges.size).to.equal(nodes.length);
  });

  it("answers a queued request with node, block, ranking and rejections", async () => {
    const workspace = await test.chain.publish({ maxPricePerSecond: 14n });
    await exported(workspace.id);
    const requestId = await ask(workspace.id, 0);
    const redis = connectRedis(test.redisUrl);
    redises.push(redis);
    const queue = new Queue(queues.placement, { connection: redis });
    await enqueue(queue, { requestId });
    const row = await answer(requestId);
    await queue.close();
    expect(row).to.include({ status: "answered", position: 0 });
    expect(await priceOf(row.node_id)).to.equal(10n);
    expect(row.ranking.map((one: { score: number }) => one.score)).to.deep.equal([10, 11, 12, 13, 14]);
    expect(row.refusals).to.deep.equal({ counts: { price: 2 }, nearest: null });
    const { rows } = await test.db.query("select hash from chain.block where number = $1", [
      row.block_number,
    ]);
    expect(rows[0].hash).to.equal(row.block_hash);
  });

  it("answers requests that the queue lost, without excluded nodes and pending capacity", async () => {
    const workspace = await test.chain.publish();
    await exported(workspace.id);
    const first = await answer(await ask(workspace.id, 0));
    const second = await answer(await ask(workspace.id, 1));
    expect(second.position).to.equal(1);
    expect(second.node_id).to.not.equal(first.node_id);
    const third = await answer(await ask(workspace.id, 2, [first.node_id, second.node_id]));
    expect([first.node_id, second.node_id]).to.not.include(third.node_id);
  });

  it("gives answers that can be recomputed from the chain, which reveals a tampered one", async () => {
    const { rows } = await test.db.query<{ request_id: string }>(
      "select request_id from app.placement where status = 'answered' order by answered_at",
    );
    expect(rows.length).to.be.greaterThan(2);
    for (const { request_id: id } of rows) {
      expect(await replay(id)).to.include({ same: true });
    }
    const id = rows[0]?.request_id ?? "";
    const verify = () => runCli(["verify", "placement", id, "--database-url", test.database.url]);
    const honest = await verify();
    expect(honest.stdout).to.match(/^Same: /);
    expect(honest.code).to.equal(0);
    await test.db.query("update app.placement set node_id = node_id + 1 where request_id = $1", [id]);
    const tampered = await verify();
    expect(tampered.stdout).to.match(/^Different: /);
    expect(tampered.code).to.equal(2);
    await test.db.query("update app.placement set node_id = node_id - 1 where request_id = $1", [id]);
  });

  it("applies placement preferences, in placements and in their replays", async () => {
    const workspace = await test.chain.publish({ maxPricePerSecond: 14n }, { strategy: "leastUsed" });
    await exported(workspace.id);
    const id = await ask(workspace.id, 0);
    const row = await answer(id);
    expect(row.ranking[0].score).to.equal(0);
    expect(await replay(id)).to.deep.include({
      same: true,
      preferences: { strategy: "leastUsed" },
    });
    const measured = await test.chain.publish({}, { minDownMbps: 1 });
    await exported(measured.id);
    const refused = await ask(measured.id, 0);
    expect((await answer(refused)).refusals.counts).to.deep.equal({ downMbps: 7 });
    expect(await replay(refused)).to.include({ same: true });
    const { stdout } = await runCli(["verify", "placement", id, "--database-url", test.database.url]);
    expect(stdout).to.include("Strategy leastUsed");
  });

  it("explains placements over HTTP", async () => {
    const question = {
      image: `0x${"0".repeat(64)}`,
      replicas: 1,
      gpuModel: null,
      minVramMib: 0,
      minComputeCapability: 0,
      region: null,
      maxPricePerSecond: "12",
      preferences: {},
      wanted: { gpus: 0, cpuMilli: 1, memoryMib: 1, diskGib: 1, ports: 1 },
    };
    const post = (body: unknown) =>
      fetch(`${match.httpUrl}/v1/explain`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const answer = await post(question);
    expect(await answer.json()).to.deep.include({ nodes: 7, fitting: 3, refused: { price: 4 } });
    expect((await post({ ...question, region: 7 })).status).to.equal(400);
  });

  it("answers an impossible request with the nearest node", async () => {
    const workspace = await test.chain.publish({ maxPricePerSecond: 9n });
    await exported(workspace.id);
    const row = await answer(await ask(workspace.id, 0));
    expect(row.status).to.equal("impossible");
    expect(row.refusals.counts).to.deep.equal({ price: 7 });
    expect(row.refusals.nearest.rejections).to.deep.equal([
      { dimension: "price", wanted: "9", has: "10", shortfall: 0.1 },
    ]);
  });

  it("chooses a replacement within the limit of its price, and says that limit where no node is within it", async () => {
    const workspace = await test.chain.publish();
    const [cheapest, next] = [joinedAt(nodes, 0), joinedAt(nodes, 1)];
    await test.chain.assign(workspace, 0, cheapest.nodeId);
    const { fence } = await eventually("the assignment is exported", async () => {
      const { rows } = await test.db.query<{ fence: Hex }>(
        "select fence from chain.assignment where workspace_id = $1",
        [workspace.id],
      );
      return rows[0];
    });
    const lease = { workspaceId: workspace.id, replica: 0, lease: 1 };
    const say = async (state: (typeof assignmentStates)[number], sequence: number) => {
      const report = { ...lease, fence, state: codeOf(assignmentStates, state), detail: zeroHash, sequence };
      await cheapest.peer.relay(state, "report", { ...report, deadline: 4_000_000_000n });
      await cheapest.peer.next("relayed", (one) => one.id === state && one.status !== "queued");
    };
    await say("running", 1);
    await say("stopped", 2);
    // It does not run as ordered, so the keeper may have it deleted; the replacement then costs a tenth more at most.
    const call = { kind: "test", contract: "DockerContract", functionName: "requestDelete" } as const;
    expect((await test.keeper.send({ ...call, args: [[lease]] })).refusals).to.deep.equal([]);
    await say("deleted", 3);
    const limit = await eventually("the limit and the end are exported", async () => {
      const { rows } = await test.db.query<{ price_per_second: bigint; until: bigint }>(
        `select limited.* from chain.event_price_limited as limited
         join chain.event_released as released using (workspace_id) where workspace_id = $1`,
        [workspace.id],
      );
      return rows[0];
    });
    expect(limit.price_per_second).to.equal(11n);
    const placed = await ask(workspace.id, 0, [cheapest.nodeId]);
    expect(await answer(placed)).to.include({ status: "answered", node_id: next.nodeId });
    await test.db.query("delete from app.placement where request_id = $1", [placed]);
    const refused = await ask(workspace.id, 0, [cheapest.nodeId, next.nodeId]);
    const { status, refusals } = await answer(refused);
    expect(status).to.equal("impossible");
    expect(refusals).to.deep.include({
      counts: { excluded: 2, price: 5 },
      priceLimit: { pricePerSecond: "11", until: Number(limit.until) },
    });
    expect(await replay(refused)).to.include({ same: true });
    const { rows } = await test.db.query(
      "select details from app.workspace_event where workspace_id = $1 and code = 'no_node_fits'",
      [workspace.id],
    );
    expect(rows[0].details.priceLimit).to.deep.equal(refusals.priceLimit);
  });

  it("releases the leases of a lost node, and keeps those of the others", async () => {
    const lost = await test.chain.publish();
    const kept = await test.chain.publish();
    const [first, second] = nodes;
    if (first === undefined || second === undefined) throw new Error("Two nodes are required.");
    await test.chain.assign(lost, 0, first.nodeId);
    await test.chain.assign(kept, 0, second.nodeId);
    await eventually("both are exported", async () => {
      return (await assignment(kept.id)) !== undefined && (await assignment(lost.id)) !== undefined;
    });
    first.peer.vanish();
    await eventually(
      "it is released",
      async () => (await assignment(lost.id))?.release_reason === "lost",
      30_000,
    );
    expect(await assignment(kept.id)).to.include({ release_reason: null });
    await eventually(
      "the node is marked offline",
      async () => {
        const { rows } = await test.db.query("select status from chain.node where node_id = $1", [
          first.nodeId,
        ]);
        return rows[0].status === "offline";
      },
      30_000,
    );
  });

  it("does nothing for a node that returns in time", async () => {
    const workspace = await test.chain.publish();
    const node = joinedAt(nodes, 1);
    await test.chain.assign(workspace, 0, node.nodeId);
    await eventually("it is exported", async () => (await assignment(workspace.id)) !== undefined);
    const { account } = node.peer;
    node.peer.vanish();
    await eventually(
      "its absence is recorded",
      async () => (await absence(node.nodeId))?.signal === "session",
    );
    node.peer = await connect(match.url, deployment, "node", account);
    await node.peer.next("welcome");
    stopBeat[1] = node.peer.beat(deployment.parameters.slotSeconds);
    await eventually("its absence is deleted", async () => (await absence(node.nodeId)) === undefined);
    expect(await assignment(workspace.id)).to.include({ release_reason: null });
  });

  it("releases leases of a node whose heartbeats stop", async () => {
    const workspace = await test.chain.publish();
    const node = joinedAt(nodes, 6);
    await test.chain.assign(workspace, 0, node.nodeId);
    await eventually("it is exported", async () => (await assignment(workspace.id)) !== undefined);
    stopBeat[6]?.();
    await eventually(
      "its absence is recorded",
      async () => (await absence(node.nodeId))?.signal === "heartbeat",
    );
    await eventually(
      "it is released",
      async () => (await assignment(workspace.id))?.release_reason === "lost",
    );
    // Counted when the sender sees the transaction as mined, which may be after its export.
    await eventually("it is counted", async () => {
      const metrics = await (await fetch(`${match.httpUrl}/metrics`)).text();
      return /ngpu_match_leases_lost_total\{signal="heartbeat",service="match"\} [1-9]/.test(metrics);
    });
    stopBeat[6] = node.peer.beat(deployment.parameters.slotSeconds);
    await eventually("its absence is deleted", async () => (await absence(node.nodeId)) === undefined);
  });

  it("releases leases of a node that does not respond on an open connection", async () => {
    const workspace = await test.chain.publish();
    const node = joinedAt(nodes, 5);
    await test.chain.assign(workspace, 0, node.nodeId);
    await eventually("it is exported", async () => (await assignment(workspace.id)) !== undefined);
    stopBeat[5]?.();
    node.peer.freeze();
    await eventually("the probe failed", async () => (await absence(node.nodeId))?.signal === "probe");
    await eventually(
      "it is released",
      async () => (await assignment(workspace.id))?.release_reason === "lost",
    );
    const { account } = node.peer;
    node.peer = await connect(match.url, deployment, "node", account);
    stopBeat[5] = node.peer.beat(deployment.parameters.slotSeconds);
    await eventually("its absence is deleted", async () => (await absence(node.nodeId)) === undefined);
  });

  it("marks an exclusive lease lost and releases it only after grace and margin", async () => {
    const workspace = await test.chain.publish({ policy: 1, graceSeconds: 4 });
    const node = joinedAt(nodes, 2);
    await test.chain.assign(workspace, 0, node.nodeId);
    await eventually("it is exported", async () => (await assignment(workspace.id)) !== undefined);
    node.peer.vanish();
    const marked = await eventually(
      "it is marked",
      async () => {
        const row = await assignment(workspace.id);
        return row?.lost_until === null ? undefined : row;
      },
      30_000,
    );
    expect(marked?.release_reason).to.equal(null);
    await eventually(
      "it is released",
      async () => (await assignment(workspace.id))?.release_reason === "lost",
      30_000,
    );
    const { rows } = await test.db.query(
      "select extract(epoch from block_time)::int as time from chain.event_released where workspace_id = $1",
      [workspace.id],
    );
    expect(rows[0].time).to.be.at.least(Number(marked?.lost_until));
  });

  it("reassigns nothing while too many nodes are missing, and reports it", async () => {
    await eventually(
      "the earlier losses are settled",
      async () => {
        const lost = [nodes[0]?.nodeId, nodes[2]?.nodeId];
        const { rowCount } = await test.db.query(
          "select from chain.node where status = 'offline' and node_id = any($1)",
          [lost],
        );
        return rowCount === 2;
      },
      30_000,
    );
    const workspace = await test.chain.publish();
    const [, , , one, two] = nodes;
    if (one === undefined || two === undefined) throw new Error("Two nodes are required.");
    await test.chain.assign(workspace, 0, one.nodeId);
    one.peer.vanish();
    two.peer.vanish();
    await eventually(
      "an outage is suspected",
      async () => {
        const metrics = await (await fetch(`${match.httpUrl}/metrics`)).text();
        return metrics.includes('ngpu_match_outage_suspected{service="match"} 1');
      },
      30_000,
    );
    const health = (await (await fetch(`${match.httpUrl}/healthz`)).json()) as {
      details: { outageSuspected: { missing: number } };
    };
    expect(health.details.outageSuspected).to.include({ missing: 2 });
    // Longer than a release takes, and than the slots after which a node is marked offline.
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    expect(await assignment(workspace.id)).to.include({ release_reason: null });
    const { rows } = await test.db.query("select status from chain.node where node_id = $1", [one.nodeId]);
    expect(rows[0].status).to.equal("online");
  });
});
