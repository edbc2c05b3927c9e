import { randomUUID } from "node:crypto";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import type { Hex } from "viem";
import { eventually } from "../support/context.ts";
import { joinMeasurer, joinNode, soon } from "./client.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

describe("match: nodes that overstate their capacity", function () {
  this.timeout(180_000);
  let test: TestMatch;
  let match: Match;
  let deployment: Deployment;

  before(async () => {
    test = await setupMatch();
    match = await test.startMatch("match-a");
    ({ deployment } = test.market);
  });

  after(async () => {
    await test.stop();
  });

  /** Joins a node in a region, with this disk space in its spec. */
  const join = (region: Hex, diskGib: number) => {
    const total = { gpus: 0, cpuMilli: 8_000, memoryMib: 16_384, diskGib, ports: 4 };
    const gpus = { gpuModel: "0x0000000000000000" as Hex, vramMib: 0, computeCapability: 0 };
    return joinNode(match.url, deployment, { spec: { ...gpus, region, total } });
  };
  const resources = (diskGib: number) => ({ gpus: 0, cpuMilli: 500, memoryMib: 256, diskGib, ports: 1 });

  /** Requests the placement of a new workspace, as dispense does. */
  const placed = async (region: Hex, diskGib: number) => {
    const workspace = await test.chain.publish({ region, resources: resources(diskGib) }, undefined, 1);
    await eventually("it is exported", async () => {
      const { rowCount } = await test.db.query("select from chain.workspace where workspace_id = $1", [
        workspace.id,
      ]);
      return rowCount === 1;
    });
    const id = randomUUID();
    await test.db.query("insert into app.placement (request_id, workspace_id, replica) values ($1, $2, 0)", [
      id,
      workspace.id,
    ]);
    const answer = await eventually("it is answered", async () => {
      const { rows } = await test.db.query("select * from app.placement where request_id = $1", [id]);
      return rows[0]?.status === "requested" ? undefined : rows[0];
    });
    return { workspace, answer };
  };
  const explained = async (region: string, diskGib: number) => {
    const answer = await fetch(`${match.httpUrl}/v1/explain`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        image: `0x${"0".repeat(64)}`,
        replicas: 1,
        gpuModel: null,
        minVramMib: 0,
        minComputeCapability: 0,
        region,
        wanted: resources(diskGib),
        maxPricePerSecond: "1000",
        preferences: {},
      }),
    });
    return (await answer.json()) as { refused: Record<string, number>; nearest: { rejections: unknown[] } };
  };

  it("ignores capacity reported in a heartbeat beyond the spec on the chain", async () => {
    const { peer, nodeId } = await join("0x4652", 20);
    const slot = BigInt(Math.floor(Date.now() / 1_000 / deployment.parameters.slotSeconds));
    peer.send({ type: "heartbeat", slot, cpuLoad: 0, freeDiskGib: 10_000, running: [] });
    await peer.next("ack");
    const { answer, workspace } = await placed("0x4652", 30);
    expect(answer.status).to.equal("impossible");
    expect(answer.refusals.counts).to.include({ diskGib: 1 });
    // The contract also rejects the assignment.
    let refusal: unknown;
    await test.chain.assign(workspace, 0, nodeId).catch((error: unknown) => {
      refusal = error;
    });
    expect(String(refusal)).to.match(/NodeCapacityExceeded/);
    peer.vanish();
  });

  it("limits a node to the disk space that a measurement found, and explains it", async () => {
    const { peer: node, nodeId } = await join("0x4742", 500);
    const { peer: measurer, measurerId } = await joinMeasurer(match.url, deployment);
    const before = await placed("0x4742", 100);
    expect(before.answer).to.include({ status: "answered", node_id: nodeId });
    const { roundId, port } = await node.next("probe", undefined, 60_000);
    node.send({ type: "probeReady", roundId, port });
    const { draw, salt, proof } = await measurer.next("measure", undefined, 40_000);
    const found = { downMbps: 900, upMbps: 800, latencyTenthMs: 12, diskFreeGib: 77, diskWriteMibps: 400 };
    await measurer.relay("reveal", "reveal", {
      roundId,
      measurerId,
      draw,
      port,
      salt: salt as Hex,
      proof: proof as [Hex, Hex, Hex],
      result: { absent: false, portsReachable: 1, ...found },
      deadline: soon(),
    });
    await eventually("the result is published", async () => {
      const { rows } = await test.db.query(
        "select status from chain.measurement where node_id = $1 order by round_id desc limit 1",
        [nodeId],
      );
      return rows[0]?.status === "finalized";
    });
    const { answer } = await placed("0x4742", 100);
    expect(answer.status).to.equal("impossible");
    expect(answer.refusals.counts).to.include({ diskGib: 1 });
    expect(answer.refusals.nearest.nodeId).to.equal(nodeId);
    expect(answer.refusals.nearest.rejections[0]).to.include({
      dimension: "diskGib",
      wanted: "100",
      has: "77",
    });
    expect((await explained("GB", 100)).refused).to.include({ diskGib: 1 });
    // Later assignments are subtracted from the measured space.
    const fitting = await placed("0x4742", 50);
    expect(fitting.answer).to.include({ status: "answered", node_id: nodeId });
    await test.chain.assign(fitting.workspace, 0, nodeId);
    await eventually("27 GiB are left", async () => {
      const { nearest } = await explained("GB", 100);
      return JSON.stringify(nearest.rejections).includes('"has":"27"');
    });
  });
});
