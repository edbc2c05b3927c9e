import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import { eventually } from "../support/context.ts";
import { connect, joinMeasurer, joinNode, type Peer, soon } from "./client.ts";
import { drawOf, result } from "./measured.ts";
import { type Match, probeImage, setupMatch, type TestMatch } from "./setup.ts";

describe("match: measuring nodes", function () {
  this.timeout(180_000);
  let test: TestMatch;
  let one: Match;
  let two: Match;
  let deployment: Deployment;
  const peers: Peer[] = [];
  let known: { account: Peer["account"]; measurerId: number } | undefined;

  before(async () => {
    test = await setupMatch();
    one = await test.startMatch("match-a", { PROBE_PORTS: "24100-24109" });
    two = await test.startMatch("match-b", { PROBE_PORTS: "24100-24109" });
    ({ deployment } = test.market);
  });

  after(async () => {
    await test.stop();
  });

  afterEach(() => {
    for (const peer of peers.splice(0)) peer.vanish();
  });

  /** The only measurer, with a new session. An absent second measurer would be drawn too. */
  const measuring = async (url: string) => {
    if (known === undefined) {
      const joined = await joinMeasurer(url, deployment);
      known = { account: joined.peer.account, measurerId: joined.measurerId };
      peers.push(joined.peer);
      return joined;
    }
    const peer = await connect(url, deployment, "measurer", known.account);
    peers.push(peer);
    await peer.next("welcome");
    return { peer, measurerId: known.measurerId };
  };

  const measurement = async (nodeId: number) => {
    const { rows } = await test.db.query(
      `select status, submissions, down_mbps::int, ports_reachable from chain.measurement
       where node_id = $1 order by round_id desc limit 1`,
      [nodeId],
    );
    return rows[0];
  };

  it("completes a round with node and measurer on different instances", async () => {
    const measurer = await measuring(two.url);
    const { peer: node, nodeId } = await joinNode(one.url, deployment);
    peers.push(node);
    const probe = await node.next("probe", undefined, 40_000);
    expect(probe.port).to.be.within(24_100, 24_109);
    expect(probe.image).to.equal(probeImage);
    expect(measurer.peer.received.some(({ type }) => type === "measure")).to.equal(false);
    node.send({ type: "probeReady", roundId: probe.roundId, port: probe.port });
    const measure = await measurer.peer.next("measure");
    expect(measure).to.include({ roundId: probe.roundId, nodeId, port: probe.port, token: probe.token });
    expect(measure.url).to.equal(`http://127.0.0.1:${probe.port}`);
    expect(measure.measurerId).to.equal(measurer.measurerId);
    const reveal = { roundId: probe.roundId, measurerId: measurer.measurerId, ...drawOf(measure) };
    const excessive = { ...result, downMbps: 2 ** 32 - 1 };
    await measurer.peer.relay("excess", "reveal", { ...reveal, result: excessive, deadline: soon() });
    const refused = await measurer.peer.next("relayed", ({ id }) => id === "excess");
    expect(refused).to.include({ status: "refused" });
    expect(refused.reason).to.match(/^MeasurementImplausible\(downMbps 4294967295, /);
    await measurer.peer.relay("reveal", "reveal", { ...reveal, result, deadline: soon() });
    const revealed = await measurer.peer.next(
      "relayed",
      ({ id, status }) => id === "reveal" && status !== "queued",
    );
    expect(revealed).to.include({ status: "confirmed" });
    await node.next("probeDone", ({ roundId }) => roundId === probe.roundId);
    await eventually(
      "the result is published",
      async () => (await measurement(nodeId))?.status === "finalized",
    );
    expect(await measurement(nodeId)).to.deep.equal({
      status: "finalized",
      submissions: 1,
      down_mbps: 900,
      ports_reachable: 1,
    });
    await eventually("the draw is closed", async () => {
      const { rows } = await test.db.query(
        "select d.status from app.measure_round d join chain.measurement m using (draws) where m.round_id = $1",
        [probe.roundId],
      );
      return rows[0]?.status === "done";
    });
  });

  it("requests another round when the probe fails, and ends the first one on the node", async () => {
    await measuring(one.url);
    const { peer: node } = await joinNode(two.url, deployment);
    peers.push(node);
    const first = await node.next("probe", undefined, 40_000);
    node.send({ type: "probeFailed", roundId: first.roundId, reason: "the port is taken" });
    await node.next("probeDone", ({ roundId }) => roundId === first.roundId);
    const second = await node.next("probe", ({ roundId }) => roundId !== first.roundId, 60_000);
    expect(second.token).to.not.equal(first.token);
    const { rows } = await test.db.query(
      "select d.failure from app.measure_round d join chain.measurement m using (draws) where m.round_id = $1",
      [first.roundId],
    );
    expect(rows).to.deep.equal([{ failure: "node: the port is taken" }]);
  });

  it("resumes a round after all instances were killed, and repeats orders after a reconnect", async () => {
    const { peer: node, nodeId } = await joinNode(one.url, deployment);
    peers.push(node);
    const measurer = await measuring(one.url);
    const probe = await node.next("probe", undefined, 60_000);
    await one.kill();
    await two.kill();
    one = await test.startMatch("match-a", { PROBE_PORTS: "24100-24109" });
    const back = await connect(one.url, deployment, "node", node.account);
    const again = await back.next("probe", ({ roundId }) => roundId === probe.roundId);
    expect(again.token).to.equal(probe.token);
    const measurerBack = await connect(one.url, deployment, "measurer", measurer.peer.account);
    await measurerBack.next("welcome");
    back.send({ type: "probeReady", roundId: again.roundId, port: again.port });
    const measure = await measurerBack.next("measure");
    await measurerBack.relay("reveal", "reveal", {
      roundId: probe.roundId,
      measurerId: measurer.measurerId,
      ...drawOf(measure),
      result,
      deadline: soon(),
    });
    await eventually(
      "the result is published",
      async () => (await measurement(nodeId))?.status === "finalized",
      30_000,
    );
  });
});
