import { isDeepStrictEqual } from "node:util";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { signRelay } from "@ngpu/protocol/signedMessages";
import { expect } from "chai";
import { zeroHash } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { WebSocket } from "ws";
import { relayLimits } from "../../../services/match/relay/relayLimits.ts";
import { insertAssignment } from "../support/chainTables.ts";
import { eventually } from "../support/context.ts";
import { connect, joinNode, type Peer, registration, soon } from "./client.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

describe("match: sessions and relayed messages", function () {
  this.timeout(120_000);
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

  const node = () => connect(match.url, deployment, "node");
  const opened = async () => {
    const peer = await node();
    await peer.next("welcome");
    return peer;
  };
  const refusal = async (peer: Peer) => {
    const { code } = await peer.next("error");
    await peer.closed;
    return code;
  };
  const relayRow = async (reason: string) => {
    const { rows } = await test.db.query("select status, reason from app.relay where reason like $1", [
      reason,
    ]);
    return rows;
  };

  it("registers a node on the chain and welcomes it again with its id", async () => {
    const peer = await node();
    expect(await peer.next("welcome")).to.include({ id: null });
    await peer.relay("one", "register", registration(peer));
    expect(await peer.next("relayed")).to.include({ id: "one", status: "queued" });
    const confirmed = await peer.next("relayed");
    expect(confirmed).to.include({ id: "one", status: "confirmed" });
    expect(confirmed.txHash).to.match(/^0x[0-9a-f]{64}$/);
    const { id } = await peer.next("welcome");
    const { rows } = await test.db.query("select key, status from chain.node where node_id = $1", [id]);
    expect(rows).to.deep.equal([{ key: peer.key, status: "online" }]);
    const sessions = await test.db.query("select subject_id, instance from app.session where key = $1", [
      peer.key,
    ]);
    expect(sessions.rows).to.deep.equal([{ subject_id: id, instance: "match-a" }]);
    peer.vanish();
    await eventually("the session's row is gone", async () => {
      const { rowCount } = await test.db.query("select from app.session where key = $1", [peer.key]);
      return rowCount === 0;
    });
  });

  it("stores the sick cards of a node's last heartbeat", async () => {
    const { peer } = await joinNode(match.url, deployment);
    const slot = BigInt(Math.floor(Date.now() / 1_000 / deployment.parameters.slotSeconds));
    const beat = { type: "heartbeat", slot, cpuLoad: 0, freeDiskGib: 1, running: [] };
    const stored = async () => {
      const { rows } = await test.db.query("select sick_gpus from app.session where key = $1", [peer.key]);
      return rows[0]?.sick_gpus;
    };
    const card = { code: "gpu_lost", id: "GPU-1", name: null, detail: "GPU is lost" };
    peer.send({ ...beat, sickGpus: [card] });
    await eventually("the card is stored", async () => isDeepStrictEqual(await stored(), [card]));
    peer.send(beat);
    await eventually("the card is healthy again", async () => isDeepStrictEqual(await stored(), []));
    peer.send({ ...beat, sickGpus: [{ ...card, code: "No code" }] });
    expect(await refusal(peer)).to.equal("message_invalid");
  });

  it("answers a repeated message with its earlier outcome", async () => {
    const { peer } = await joinNode(match.url, deployment);
    const message = registration(peer, { deadline: soon() + 1n });
    await peer.relay("again", "register", message);
    const refused = await peer.next("relayed", ({ status }) => status === "refused");
    expect(refused.reason).to.match(/^NodeKeyTaken\(key 0x/);
    await peer.relay("more", "register", message);
    const repeated = await peer.next("relayed", ({ id }) => id === "more");
    expect(repeated).to.include({ status: "refused", reason: refused.reason });
    expect(await relayRow("NodeKeyTaken%")).to.have.length(1);
  });

  it("relays messages in order and reports the outcome of each", async () => {
    const { peer, nodeId } = await joinNode(match.url, deployment);
    const statuses = [3, 1, 1, 3, 2];
    for (const [index, status] of statuses.entries()) {
      await peer.relay(`${index}`, "setStatus", { nodeId, status, sequence: index + 1, deadline: soon() });
    }
    const outcomes = await Promise.all(
      statuses.map((_status, index) =>
        peer.next("relayed", (one) => one.id === `${index}` && one.status !== "queued", 30_000),
      ),
    );
    expect(outcomes.map((one) => one.status)).to.deep.equal([
      "confirmed",
      "confirmed",
      "refused",
      "confirmed",
      "confirmed",
    ]);
    expect(outcomes[2]?.reason).to.match(/^NodeStatusInvalid/);
    await eventually("the last status is on the chain", async () => {
      const { rows } = await test.db.query("select status from chain.node where node_id = $1", [nodeId]);
      return rows[0]?.status === "offline";
    });
  });

  it("rejects messages with another signer or an expired deadline", async () => {
    const peer = await opened();
    const other = await opened();
    await peer.relay("late", "register", registration(peer, { deadline: 5n }));
    expect((await peer.next("relayed")).reason).to.match(/^SignatureExpired\(deadline 5, /);
    await peer.relay("strange", "register", registration(other));
    expect((await peer.next("relayed")).reason).to.match(/^SignatureInvalid/);
    await other.relay("forged", "setStatus", { nodeId: 1, status: 2, sequence: 1, deadline: soon() });
    await other.next("relayed", ({ status }) => status === "queued");
    expect((await other.next("relayed", ({ status }) => status === "refused")).reason).to.match(
      /^SignatureInvalid/,
    );
  });

  it("closes the session of a key that its node no longer has, and keeps the node of the new key present", async () => {
    const { peer, nodeId } = await joinNode(match.url, deployment);
    const next = await opened();
    next.beat(deployment.parameters.slotSeconds);
    await test.db.query("update chain.node set key = $1 where node_id = $2", [next.key, nodeId]);
    expect((await next.next("welcome", ({ id }) => id !== null, 30_000)).id).to.equal(nodeId);
    expect(await refusal(peer)).to.equal("session_replaced");
    await eventually("only the new key has a session", async () => {
      const { rows } = await test.db.query("select key from app.session where subject_id = $1", [nodeId]);
      return rows.length === 1 && rows[0]?.key === next.key;
    });
    // A loaded machine may be late with heartbeats, which is another signal.
    const { rows } = await test.db.query(
      "select from app.absence where node_id = $1 and back_at is null and signal = 'session'",
      [nodeId],
    );
    expect(rows).to.deep.equal([]);
  });

  it("pays for no more messages of a node that flaps, or about one lease, than the market's limit an hour", async () => {
    const { peer, nodeId } = await joinNode(match.url, deployment);
    const other = await joinNode(match.url, deployment);
    const relayed = (kind: "setStatus" | "report", count: number, message: Record<string, unknown>) =>
      test.db.query(
        `insert into app.relay (kind, signer, message, signature, digest, deadline, status)
         select $1, $2, $3, '0x', 'flapping ' || $1 || number, 1, 'confirmed' from generate_series(1, $4::int4) as number`,
        [kind, peer.key, message, count],
      );
    const settled = (of: typeof peer, id: string) =>
      of.next("relayed", (one) => one.id === id && one.status !== "queued", 30_000);
    await relayed("setStatus", relayLimits.setStatus, { nodeId });
    const flap = { status: 3, sequence: 1, deadline: soon() };
    await peer.relay("flap", "setStatus", { nodeId, ...flap });
    expect(await settled(peer, "flap")).to.include({
      status: "refused",
      reason: `RelayLimitExceeded(kind setStatus, limit ${relayLimits.setStatus}, seconds 3600)`,
    });
    await other.peer.relay("calm", "setStatus", { nodeId: other.nodeId, ...flap });
    expect(await settled(other.peer, "calm")).to.include({ status: "confirmed" });

    const lease = { workspaceId: 999_998n, replica: 0, lease: 1, fence: "0x0000000000000001" } as const;
    await relayed("report", relayLimits.report, { ...lease, workspaceId: "999998" });
    const report = { ...lease, state: 2, detail: zeroHash, sequence: 1, deadline: soon() };
    await peer.relay("same", "report", report);
    expect((await settled(peer, "same")).reason).to.match(/^RelayLimitExceeded/);
    await peer.relay("next", "report", { ...report, lease: 2 });
    expect((await settled(peer, "next")).reason).to.match(/^LeaseStale/);
    await test.db.query("update app.relay set created_at = now() - interval '1 hour' where signer = $1", [
      peer.key,
    ]);
    await peer.relay("later", "setStatus", { nodeId, ...flap });
    expect(await settled(peer, "later")).to.include({ status: "confirmed" });
  });

  it("refuses a queued message that it cannot read, and relays those of the same batch", async () => {
    const { peer, nodeId } = await joinNode(match.url, deployment);
    await test.db.query(
      `insert into app.relay (kind, signer, message, signature, digest, deadline)
       values ('setStatus', '0x1', '{"nodeId": 1e300}', '0x', 'unreadable', $1)`,
      [soon()],
    );
    await peer.relay("good", "setStatus", { nodeId, status: 3, sequence: 1, deadline: soon() });
    const good = await peer.next("relayed", ({ id, status }) => id === "good" && status !== "queued", 30_000);
    expect(good).to.include({ status: "confirmed" });
    await eventually("the other is refused", async () => {
      const rows = await relayRow("the message cannot be read");
      return rows[0]?.status === "refused";
    });
  });

  it("packs reports for the chain, and rejects a signature that cannot be packed", async () => {
    const { peer } = await joinNode(match.url, deployment);
    const lease = { workspaceId: 999_999n, replica: 0, lease: 1, fence: "0x0000000000000001" } as const;
    const reports = {
      report: { ...lease, state: 2, detail: zeroHash, sequence: 1, deadline: soon() },
      progress: { ...lease, milestone: 1, deadline: soon() },
    };
    const settled = (id: string) =>
      peer.next("relayed", (one) => one.id === id && one.status !== "queued", 30_000);
    await peer.relay("report", "report", reports.report);
    expect((await settled("report")).reason).to.match(/^LeaseStale\(.*999999/);
    await peer.relay("progress", "progress", reports.progress);
    expect((await settled("progress")).reason).to.match(/^ProgressLeaseStale\(.*999999/);
    for (const kind of ["report", "progress"] as const) {
      const signature = await signRelay(peer.account, deployment, kind, reports[kind]);
      const parity = signature.endsWith("1b") ? "00" : "01";
      const message = reports[kind];
      peer.send({
        type: "relay",
        id: `odd ${kind}`,
        kind,
        message,
        signature: `${signature.slice(0, -2)}${parity}`,
      });
      expect((await settled(`odd ${kind}`)).reason).to.match(/^SignatureInvalid.*not 27 or 28/);
    }
  });

  it("rejects a hello without a valid signature, clock or host", async () => {
    const stranger = privateKeyToAccount(generatePrivateKey());
    const account = privateKeyToAccount(generatePrivateKey());
    const forged = await connect(match.url, deployment, "node", account, { signer: stranger });
    expect(await refusal(forged)).to.equal("signer_mismatch");
    const old = await connect(match.url, deployment, "node", account, {
      time: BigInt(Math.floor(Date.now() / 1_000)) - 90n,
    });
    expect(await refusal(old)).to.equal("clock_skewed");
    const odd = await connect(match.url, deployment, "node", account, { host: "a b/c" });
    expect(await refusal(odd)).to.equal("host_invalid");
  });

  it("closes a session with an error code for an invalid message", async () => {
    const cases: [string, string][] = [
      ["{", "message_invalid"],
      ['{"type":"dance"}', "message_invalid"],
      [
        '{"type":"heartbeat","slot":"1","cpuLoad":0,"freeDiskGib":0,"running":[],"extra":1}',
        "message_invalid",
      ],
      ['{"type":"measureFailed","roundId":"1","reason":"x"}', "message_forbidden"],
      ['{"type":"relay","id":"1","kind":"reveal","message":{},"signature":"0x"}', "message_forbidden"],
      ['{"type":"relay","id":"1","kind":"register","message":{},"signature":"0x"}', "message_invalid"],
    ];
    for (const [text, code] of cases) {
      const peer = await opened();
      peer.sendRaw(text);
      expect(await refusal(peer), text).to.equal(code);
    }
    const metrics = await (await fetch(`${match.httpUrl}/metrics`)).text();
    expect(metrics).to.match(
      /ngpu_match_sessions_ended_total\{code="message_invalid",service="match"\} [4-9]/,
    );
  });

  it("closes a session that exceeds the rate or the message size", async () => {
    const flood = await opened();
    for (let count = 0; count < 1_000; count += 1) {
      flood.send({ type: "heartbeat", slot: 1n, cpuLoad: 0, freeDiskGib: 0, running: [] });
    }
    expect(await refusal(flood)).to.equal("rate_limited");
    const large = await opened();
    large.sendRaw(JSON.stringify({ type: "x".repeat(300_000) }));
    expect(await large.closed).to.equal(1009);
  });

  it("keeps one session per key: the newest, on any instance", async () => {
    const account = privateKeyToAccount(generatePrivateKey());
    const first = await connect(match.url, deployment, "node", account);
    await first.next("welcome");
    const second = await connect(match.url, deployment, "node", account);
    await second.next("welcome");
    expect(await refusal(first)).to.equal("session_replaced");
    const other = await test.startMatch("match-b");
    const third = await connect(other.url, deployment, "node", account);
    await third.next("welcome");
    expect(await refusal(second)).to.equal("session_replaced");
    const { rows } = await test.db.query("select instance from app.session where key = $1", [
      account.address.toLowerCase(),
    ]);
    expect(rows).to.deep.equal([{ instance: "match-b" }]);
    await other.process.stop();
    expect(await third.closed).to.equal(1012);
    const left = await test.db.query("select from app.session where instance = 'match-b'");
    expect(left.rowCount).to.equal(0);
  });

  it("rejects WebSockets on other paths", async () => {
    const socket = new WebSocket(`${match.url}/v1/other`);
    const error = await new Promise<Error>((resolve) => socket.on("error", resolve));
    expect(error.message).to.include("404");
  });

  it("ends at most the session that sends a value out of range, and stores what the others report", async () => {
    const { peer, nodeId } = await joinNode(match.url, deployment);
    const slot = BigInt(Math.floor(Date.now() / 1_000 / deployment.parameters.slotSeconds));
    const heartbeat = { type: "heartbeat", slot, cpuLoad: 0.5, freeDiskGib: 10, running: ["1/0/1"] };
    const live = { type: "live", workspaceId: 1n, replica: 0, lease: 1, percent: 5, bytesPerSecond: 1 };
    const texts = [
      JSON.stringify({ ...heartbeat, slot: "1", running: ["\0"] }),
      '{"type":"heartbeat","slot":"1","cpuLoad":0,"freeDiskGib":0,"running":["\\ud800"]}',
      '{"type":"heartbeat","slot":"1","cpuLoad":1e999,"freeDiskGib":0,"running":[]}',
      JSON.stringify({ ...heartbeat, slot: "99999999999999999999" }),
      JSON.stringify({ ...live, workspaceId: "99999999999999999999" }),
      JSON.stringify({ ...live, workspaceId: "1", lease: 2 ** 40 }),
      JSON.stringify({ type: "probeReady", roundId: "9223372036854775808", port: 1 }),
      "[".repeat(100_000),
    ];
    for (const text of texts) {
      const other = await opened();
      other.sendRaw(text);
      expect(await refusal(other), text.slice(0, 80)).to.equal("message_invalid");
    }
    const other = await opened();
    await other.relay("name", "register", registration(other, { gpuName: "\0" }));
    expect(await refusal(other)).to.equal("message_invalid");
    peer.send(heartbeat);
    await eventually("the heartbeat is stored", async () => {
      const { rows } = await test.db.query("select running from app.session where subject_id = $1", [nodeId]);
      return rows[0]?.running[0] === "1/0/1";
    });
  });

  it("stores the progress of a download, of a lease that the node holds", async () => {
    const { peer, nodeId } = await joinNode(match.url, deployment);
    await insertAssignment(test.db, { workspace_id: 9_000, replica: 0, lease: 2, node_id: nodeId });
    const live = { type: "live", workspaceId: 9_000n, replica: 0, percent: 5.5, bytesPerSecond: 1e9 };
    for (const lease of [1, 2, 3]) peer.send({ ...live, lease });
    const progress = async () => {
      const { rows } = await test.db.query(
        "select lease::int4, percent, bytes_per_second from app.live_progress where workspace_id = 9000",
      );
      return rows;
    };
    await eventually("the progress is stored", async () => (await progress()).length > 0);
    await peer.relay("after", "setStatus", { nodeId, status: 3, sequence: 1, deadline: soon() });
    await peer.next("relayed");
    expect(await progress()).to.deep.equal([{ lease: 2, percent: 5.5, bytes_per_second: 1e9 }]);
  });

  it("neither loses nor repeats a message when it is killed between accepting and sending", async () => {
    const joined = await Promise.all(Array.from({ length: 5 }, () => joinNode(match.url, deployment)));
    for (const { peer, nodeId } of joined) {
      for (const [index, status] of [3, 1, 3, 1, 2].entries()) {
        await peer.relay(`${index}`, "setStatus", { nodeId, status, sequence: index + 1, deadline: soon() });
      }
    }
    await Promise.all(joined.map(({ peer }) => peer.next("relayed", ({ id }) => id === "4")));
    await match.kill();
    match = await test.startMatch("match-a");
    const ids = joined.map(({ nodeId }) => nodeId);
    await eventually(
      "all are offline",
      async () => {
        const { rows } = await test.db.query("select status from chain.node where node_id = any($1)", [ids]);
        return rows.every((row) => row.status === "offline");
      },
      60_000,
    );
    const { rows } = await test.db.query(
      "select count(*)::int as count from chain.event_node_status_changed where node_id = any($1)",
      [ids],
    );
    expect(rows[0].count).to.equal(25);
    await eventually("all are settled", async () => {
      const { rowCount } = await test.db.query("select from app.relay where status in ('queued', 'sent')");
      return rowCount === 0;
    });
    const refused = await test.db.query(
      "select from app.relay where kind = 'setStatus' and status <> 'confirmed' and signer = any($1)",
      [joined.map(({ peer }) => peer.key)],
    );
    expect(refused.rowCount).to.equal(0);
  });
});
