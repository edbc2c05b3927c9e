import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { expect } from "chai";
import { eventually } from "../support/context.ts";
import { joinNode, type Peer } from "./client.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

type Row = { code: string; count: bigint; details: Record<string, unknown>; ended: boolean };

describe("match: why leases do not run", function () {
  this.timeout(120_000);
  let test: TestMatch;
  let match: Match;
  let deployment: Deployment;
  let node: { peer: Peer; nodeId: number };
  let other: { peer: Peer; nodeId: number };
  let workspace: Awaited<ReturnType<TestMatch["chain"]["publish"]>>;
  let fence: string;

  before(async () => {
    test = await setupMatch();
    match = await test.startMatch("match-a", { LOSS_SECONDS: "4", LOSS_FLOOR: "2" });
    ({ deployment } = test.market);
    node = await joinNode(match.url, deployment);
    other = await joinNode(match.url, deployment);
    beat(node);
    beat(other);
    workspace = await test.chain.publish();
    await test.chain.assign(workspace, 0, node.nodeId);
    fence = await eventually("the lease in Postgres", async () => {
      const { rows } = await test.db.query<{ fence: string }>(
        "select fence from chain.assignment where workspace_id = $1",
        [workspace.id],
      );
      return rows[0]?.fence;
    });
  });

  after(() => test.stop());
  beforeEach(() => test.db.query("delete from app.workspace_event"));

  const beat = ({ peer }: { peer: Peer }) => peer.beat(deployment.parameters.slotSeconds);

  const report = (changes: Record<string, unknown>) => ({
    type: "reason",
    workspaceId: workspace.id,
    replica: 0,
    lease: 1,
    fence,
    count: 1,
    code: "container_exited",
    details: { exitCode: 7, starts: 1, log: "one\ntwo" },
    ...changes,
  });
  const rows = async () => {
    const found = await test.db.query<Row>(
      `select code, count, details, ended_at is not null as ended from app.workspace_event
       where workspace_id = $1 order by position`,
      [workspace.id],
    );
    return found.rows;
  };
  const until = (what: string, holds: (found: Row[]) => boolean) =>
    eventually(what, async () => holds(await rows()));
  /** A message that match handles after all earlier ones of the session. */
  const handled = async ({ peer, nodeId }: { peer: Peer; nodeId: number }) => {
    await peer.relay("expired", "setStatus", { nodeId, status: 1, sequence: 1, deadline: 1n });
    await peer.next("relayed", ({ id }) => id === "expired");
  };
  const setAside = async (reason: string) => {
    const text = await (await fetch(`${match.httpUrl}/metrics`)).text();
    return Number(
      new RegExp(`^ngpu_match_reasons_set_aside_total\\{.*reason="${reason}".*\\} (\\d+)$`, "m").exec(
        text,
      )?.[1] ?? 0,
    );
  };

  it("are stored with the node, counted when they repeat, and past when the lease runs", async () => {
    node.peer.send(report({}));
    node.peer.send(report({}));
    node.peer.send(report({ count: 2, details: { exitCode: 7, starts: 2, log: "three" } }));
    node.peer.send(report({ code: "out_of_memory", details: { memoryMib: 64, exitCode: 137, starts: 3 } }));
    await until("two reasons", (found) => found.length === 2);
    expect(await rows()).to.deep.equal([
      { code: "container_exited", count: 2n, details: { exitCode: 7, starts: 2, log: "three" }, ended: true },
      {
        code: "out_of_memory",
        count: 1n,
        details: { memoryMib: 64, exitCode: 137, starts: 3 },
        ended: false,
      },
    ]);
    node.peer.send(report({ code: null, details: {}, count: 0 }));
    await until("all are past", (found) => found.every(({ ended }) => ended));
    node.peer.send(report({ count: 3 }));
    await until("the first is current again", (found) => found.at(-1)?.ended === false);
    expect((await rows()).map(({ code, count }) => [code, count])).to.deep.equal([
      ["out_of_memory", 1n],
      ["container_exited", 3n],
    ]);
  });

  it("count only when the node has the lease on the chain", async () => {
    const before = await setAside("lease");
    other.peer.send(report({}));
    node.peer.send(report({ fence: "0xffffffffffffffff" }));
    node.peer.send(report({ lease: 2 }));
    node.peer.send(report({ workspaceId: 2n ** 63n - 1n }));
    await eventually("all are set aside", async () => (await setAside("lease")) === before + 4);
    expect(await rows()).to.deep.equal([]);
  });

  it("are set aside when match does not know them or they exceed their bounds; sessions go on", async () => {
    const log = "x".repeat(9_000);
    const hostile = [
      report({ code: "unheard_of" }),
      report({ code: "no_node_fits", details: {} }),
      report({ code: "__proto__", details: { toString: 1 } }),
      report({ details: { exitCode: 7, starts: 1, log } }),
      report({ details: { exitCode: 1e300, starts: 1 } }),
      report({ details: { exitCode: 7, starts: 1, log: "\ud800" } }),
      report({ details: null }),
      report({ details: [[[]]] }),
      report({ details: undefined }),
    ];
    for (const message of hostile) node.peer.send(message);
    await handled(node);
    await handled(other);
    expect(await setAside("code")).to.equal(3);
    expect(await setAside("details")).to.equal(6);
    expect(await rows()).to.deep.equal([]);
    node.peer.send(report({}));
    await until("a valid one is stored", (found) => found.length === 1);
  });

  it("cannot fill the database: a flood is set aside, and only the newest of a workspace are kept", async () => {
    // A loaded market handles a burst slowly, and then the burst is no flood.
    for (let port = 0; (await setAside("rate")) === 0; ) {
      for (const end = port + 250; port < end; port += 1) {
        node.peer.send(
          report({ code: "health_failing", details: { path: "/", port, status: 500 }, count: 1 }),
        );
      }
      await handled(node);
    }
    const found = await rows();
    expect(found.length).to.be.within(1, 200);
    expect(await setAside("rate")).to.be.greaterThan(0);
    await test.db.query(
      `insert into app.workspace_event (workspace_id, replica, lease, source, code, reason_key, details, position)
       select $1, 0, 1, 'node', 'gpu_lost', number::text, '{}', 1000 + number from generate_series(1, 500) as number`,
      [workspace.id],
    );
    const third = await joinNode(match.url, deployment);
    await test.chain.assign(workspace, 1, third.nodeId);
    const assigned = await eventually("the second lease", async () => {
      const { rows: leases } = await test.db.query<{ fence: string }>(
        "select fence from chain.assignment where workspace_id = $1 and replica = 1",
        [workspace.id],
      );
      return leases[0]?.fence;
    });
    beat(third);
    third.peer.send(report({ replica: 1, fence: assigned }));
    await until("the cap", (kept) => kept.length === 200 && kept.at(-1)?.code === "container_exited");
  });

  it("include that no node fits, with the nearest", async () => {
    const huge = await test.chain.publish({
      resources: { gpus: 0, cpuMilli: 900_000, memoryMib: 1, diskGib: 1, ports: 1 },
    });
    await eventually("the workspace in Postgres", async () => {
      const { rowCount } = await test.db.query("select from chain.workspace where workspace_id = $1", [
        huge.id,
      ]);
      return rowCount === 1;
    });
    for (let time = 1; time <= 2; time += 1) {
      await test.db.query(
        "insert into app.placement (request_id, workspace_id, replica) values (gen_random_uuid(), $1, 0)",
        [huge.id],
      );
      await eventually(`answer ${time}`, async () => {
        const { rows: events } = await test.db.query<Row>(
          "select code, count, details from app.workspace_event where workspace_id = $1",
          [huge.id],
        );
        return events.length === 1 && Number(events[0]?.count) === time;
      });
    }
    const { rows: events } = await test.db.query<Row>(
      "select code, details from app.workspace_event where workspace_id = $1",
      [huge.id],
    );
    expect(events[0]).to.deep.include({ code: "no_node_fits" });
    const nearest = events[0]?.details.nearest as { rejections: { dimension: string }[] };
    expect(nearest.rejections.map(({ dimension }) => dimension)).to.deep.equal(["cpuMilli"]);
  });

  it("include a lost node, for each of its leases", async () => {
    // A node of its own: under load, match may have lost and relocated the others before.
    const lost = await joinNode(match.url, deployment);
    await test.chain.assign(workspace, 2, lost.nodeId);
    const ofIt = () =>
      test.db.query("select from chain.assignment where workspace_id = $1 and replica = 2", [workspace.id]);
    await eventually("its lease in Postgres", async () => (await ofIt()).rowCount === 1);
    lost.peer.vanish();
    await eventually("the loss", async () => {
      const { rowCount } = await test.db.query(
        "select from app.workspace_event where workspace_id = $1 and replica = 2 and code = 'node_lost'",
        [workspace.id],
      );
      return rowCount === 1;
    });
  });
});
