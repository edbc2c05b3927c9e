import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import { recordMissedHeartbeats, recordUnconnected } from "../../../services/match/sessions/absenceStore.ts";
import { recordSubject } from "../../../services/match/sessions/sessionStore.ts";
import { eventually } from "../support/context.ts";
import { connect, joinedAt, joinNode } from "./client.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

/** Maximum time from the last contact to the detection of a loss, s. */
const detectedWithin = 10;
/** Default of LOSS_SECONDS. */
const lossSeconds = 4;

describe("match: lost nodes", function () {
  this.timeout(180_000);
  let test: TestMatch;
  let match: Match;
  let deployment: Deployment;
  let nodes: Awaited<ReturnType<typeof joinNode>>[];
  let stopBeat: (() => void)[];

  before(async () => {
    // Long slots: heartbeats are as rare as in production, and a lost node stays online on the chain for long.
    test = await setupMatch({ slotSeconds: 30 });
    match = await test.startMatch("match-a");
    ({ deployment } = test.market);
    nodes = [];
    for (const price of [10n, 11n, 12n, 13n]) {
      nodes.push(await joinNode(match.url, deployment, { pricePerSecond: price }));
    }
    stopBeat = nodes.map(({ peer }) => peer.beat(deployment.parameters.slotSeconds));
    await test.startService("dispense", "dispense");
    await test.startService("workspace", "workspace");
  });

  after(async () => {
    await test.stop();
  });

  const node = (position: number) => joinedAt(nodes, position);
  const lost = (nodeId: number) =>
    eventually(`node ${nodeId} is marked lost`, async () => {
      const { rows } = await test.db.query<{ signal: string; seconds: number }>(
        `select signal, extract(epoch from lost_at - since)::float8 as seconds
         from app.absence where node_id = $1 and lost_at is not null`,
        [nodeId],
      );
      return rows[0];
    });
  const returned = async (position: number) => {
    const { peer, nodeId } = node(position);
    const again = await connect(match.url, deployment, "node", peer.account);
    node(position).peer = again;
    await again.next("welcome");
    stopBeat[position]?.();
    stopBeat[position] = again.beat(deployment.parameters.slotSeconds);
    await eventually("its absence is deleted", async () => {
      const { rowCount } = await test.db.query("select from app.absence where node_id = $1", [nodeId]);
      return rowCount === 0;
    });
  };
  const leases = async (workspaceId: bigint) => {
    const { rows } = await test.db.query<{ node_id: number; release_reason: string | null }>(
      "select node_id, release_reason from chain.assignment where workspace_id = $1 order by lease",
      [workspaceId],
    );
    return rows;
  };

  it("assigns a lost lease to another node while the lost one is still online on the chain", async () => {
    const { id } = await test.chain.publish({}, undefined, 1);
    const cheapest = node(0);
    const next = node(1);
    await eventually("the cheapest node has it", async () => (await leases(id)).length === 1);
    cheapest.peer.vanish();
    await eventually("there is another lease", async () => (await leases(id)).length > 1);
    expect(await leases(id)).to.deep.equal([
      { node_id: cheapest.nodeId, release_reason: "lost" },
      { node_id: next.nodeId, release_reason: null },
    ]);
    const { rows } = await test.db.query("select status from chain.node where node_id = $1", [
      cheapest.nodeId,
    ]);
    expect(rows).to.deep.equal([{ status: "online" }]);
    // The lost node gets no other leases either while it is absent.
    const other = await test.chain.publish({}, undefined, 1);
    await eventually("the other one is placed", async () => (await leases(other.id)).length === 1);
    expect((await leases(other.id))[0]?.node_id).to.equal(next.nodeId);
    await returned(0);
    const later = await test.chain.publish({}, undefined, 1);
    await eventually("a later one is placed", async () => (await leases(later.id)).length === 1);
    expect((await leases(later.id))[0]?.node_id).to.equal(cheapest.nodeId);
  });

  it("records no absence of a node whose session has no node id yet", async () => {
    const { nodeId } = node(3);
    const { rows } = await test.db.query<{ session_id: string }>(
      "update app.session set subject_id = null where role = 'node' and subject_id = $1 returning session_id",
      [nodeId],
    );
    await recordUnconnected(test.db);
    const absence = () => test.db.query("select back_at from app.absence where node_id = $1", [nodeId]);
    expect((await absence()).rows).to.deep.equal([]);
    // An absence ends when the session gets its node id.
    await recordMissedHeartbeats(test.db, [{ nodeId, idleSeconds: 0 }]);
    await recordSubject(test.db, rows[0]?.session_id ?? "", nodeId);
    expect((await absence()).rows[0]?.back_at).to.be.instanceOf(Date);
  });

  const failures = {
    session: ({ peer }: (typeof nodes)[number]) => peer.vanish(),
    probe: ({ peer }: (typeof nodes)[number]) => peer.freeze(),
    heartbeat: () => undefined,
  };
  for (const [position, signal] of (["session", "probe", "heartbeat"] as const).entries()) {
    it(`detects a loss by ${signal} within ${detectedWithin} s of the last contact`, async () => {
      const gone = node(position + 1);
      stopBeat[position + 1]?.();
      failures[signal](gone);
      const noted = await lost(gone.nodeId);
      expect(noted.signal).to.equal(signal);
      expect(noted.seconds).to.be.within(lossSeconds, detectedWithin);
      // The metric follows the write to Postgres.
      await eventually("it is counted", async () => {
        const metrics = await (await fetch(`${match.httpUrl}/metrics`)).text();
        return new RegExp(
          `^ngpu_match_loss_detection_seconds_count\\{.*signal="${signal}".*\\} [1-9]`,
          "m",
        ).test(metrics);
      });
      await returned(position + 1);
    });
  }
});
