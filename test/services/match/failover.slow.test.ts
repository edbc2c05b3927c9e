import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import { recordMissedHeartbeats, recordUnconnected } from "../../../services/match/sessions/absenceStore.ts";
import { recordSubject } from "../../../services/match/sessions/sessionStore.ts";
import { eventually } from "../support/context.ts";
import { connect, joinedAt, joinNode } from "./client.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

/** What a market promises, from the last that was heard of a node. */
const noticedWithin = 10;
/** What match waits for by default. */
const lossSeconds = 4;

describe("match: nodes that are lost", function () {
  this.timeout(180_000);
  let test: TestMatch;
  let match: Match;
  let deployment: Deployment;
  let nodes: Awaited<ReturnType<typeof joinNode>>[];
  let stopBeat: (() => void)[];

  before(async () => {
    // Slots so long that beats come as seldom as in a lasting market, and that the chain shows a lost node as online for long.
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
    eventually(`node ${nodeId} is taken for lost`, async () => {
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
    await eventually("its absence is forgotten", async () => {
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

  it("assigns a lost lease to another node at once, though the chain still has the lost one online", async () => {
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
    // Nothing else goes to it either, as long as it is away.
    const other = await test.chain.publish({}, undefined, 1);
    await eventually("the other one is placed", async () => (await leases(other.id)).length === 1);
    expect((await leases(other.id))[0]?.node_id).to.equal(next.nodeId);
    await returned(0);
    const later = await test.chain.publish({}, undefined, 1);
    await eventually("a later one is placed", async () => (await leases(later.id)).length === 1);
    expect((await leases(later.id))[0]?.node_id).to.equal(cheapest.nodeId);
  });

  it("misses no node whose session does not know yet that the chain has it", async () => {
    const { nodeId } = node(3);
    const { rows } = await test.db.query<{ session_id: string }>(
      "update app.session set subject_id = null where role = 'node' and subject_id = $1 returning session_id",
      [nodeId],
    );
    await recordUnconnected(test.db);
    const missed = () => test.db.query("select back_at from app.absence where node_id = $1", [nodeId]);
    expect((await missed()).rows).to.deep.equal([]);
    // Should it be missed all the same, its name ends that.
    await recordMissedHeartbeats(test.db, [{ nodeId, idleSeconds: 0 }]);
    await recordSubject(test.db, rows[0]?.session_id ?? "", nodeId);
    expect((await missed()).rows[0]?.back_at).to.be.instanceOf(Date);
  });

  const ways = {
    session: ({ peer }: (typeof nodes)[number]) => peer.vanish(),
    probe: ({ peer }: (typeof nodes)[number]) => peer.freeze(),
    heartbeat: () => undefined,
  };
  for (const [position, signal] of (["session", "probe", "heartbeat"] as const).entries()) {
    it(`notices a loss by its ${signal} within ${noticedWithin} s of the last it heard`, async () => {
      const gone = node(position + 1);
      stopBeat[position + 1]?.();
      ways[signal](gone);
      const noted = await lost(gone.nodeId);
      expect(noted.signal).to.equal(signal);
      expect(noted.seconds).to.be.within(lossSeconds, noticedWithin);
      // Counted after it is written.
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
