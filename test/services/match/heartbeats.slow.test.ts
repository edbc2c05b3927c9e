import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { ackSignerOf } from "@ngpu/protocol/heartbeatAck";
import { decodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { expect } from "chai";
import { Redis } from "ioredis";
import { privateKeyToAccount } from "viem/accounts";
import { eventually } from "../support/context.ts";
import { joinNode, soon } from "./client.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

describe("match: heartbeats", function () {
  this.timeout(120_000);
  let test: TestMatch;
  let instances: Match[];
  let deployment: Deployment;
  let redis: Redis;

  before(async () => {
    test = await setupMatch();
    redis = new Redis(test.redisUrl);
    instances = [await test.startMatch("match-a"), await test.startMatch("match-b")];
    ({ deployment } = test.market);
  });

  after(async () => {
    redis.disconnect();
    await test.stop();
  });

  const slotNow = () => BigInt(Math.floor(Date.now() / 1_000 / deployment.parameters.slotSeconds));
  const posted = async (slot: bigint) => {
    const { rows } = await test.db.query<{
      encoding: (typeof heartbeatEncodings)[number];
      node_count: number;
      bits: `0x${string}`;
    }>("select encoding, node_count, bits from chain.heartbeat_slot where slot = $1", [slot]);
    const [row] = rows;
    if (row === undefined) return undefined;
    return [...decodeHeartbeats({ encoding: row.encoding, nodeCount: row.node_count, bits: row.bits })];
  };
  const events = async (slot: bigint) =>
    (await test.db.query("select from chain.event_heartbeats_committed where slot = $1", [slot])).rowCount;

  it("commits each slot once with the bits of all instances, although Redis loses them", async () => {
    const [a, b] = instances;
    if (a === undefined || b === undefined) throw new Error("Two instances were started.");
    const joined = [
      await joinNode(a.url, deployment),
      await joinNode(b.url, deployment),
      await joinNode(a.url, deployment),
    ];
    const [one, two, silent] = joined.map(({ nodeId }) => nodeId);
    for (const { peer } of joined.slice(0, 2)) peer.beat(deployment.parameters.slotSeconds);
    await joined[0]?.peer.next("ack");
    const first = slotNow() + 1n;
    // During each of the slots, and after one of them has ended.
    for (let slot = first; slot < first + 3n; slot += 1n) {
      await eventually(`slot ${slot} has begun`, () => slotNow() === slot, 20_000);
      await joined[0]?.peer.next("ack", (ack) => ack.slot === slot);
      await joined[1]?.peer.next("ack", (ack) => ack.slot === slot);
      await redis.flushdb();
    }
    for (let slot = first; slot < first + 3n; slot += 1n) {
      const present = await eventually(`slot ${slot} is posted`, () => posted(slot), 30_000);
      expect(present).to.include.members([one, two]);
      expect(present).to.not.include(silent);
      expect(await events(slot)).to.equal(1);
    }
  });

  it("sends each node one signed acknowledgement per slot, which proves its presence in a dispute", async () => {
    const [a] = instances;
    if (a === undefined) throw new Error("Two instances were started.");
    const { peer, nodeId } = await joinNode(a.url, deployment);
    peer.beat(deployment.parameters.slotSeconds);
    const { slot, signed } = await peer.next("ack", (ack) => ack.signed !== undefined);
    if (signed === undefined) throw new Error("It was waited for.");
    const own = { ...signed, slot, nodeId };
    expect(await ackSignerOf(deployment, own)).to.equal(
      privateKeyToAccount(test.market.powers.acknowledger).address,
    );
    // The chain's clock may be behind.
    await eventually(
      "another slot has begun on the chain",
      async () => {
        const { timestamp } = await test.market.client.getBlock();
        return timestamp / BigInt(deployment.parameters.slotSeconds) > slot;
      },
      60_000,
    );
    const ofSlot = peer.received.filter((one) => one.type === "ack" && one.slot === slot && one.signed);
    expect(ofSlot).to.have.length(1);
    const { signature, ...message } = own;
    const dispute = { ...message, deadline: soon() };
    peer.send({ type: "relay", id: "dispute", kind: "dispute", message: dispute, signature });
    const outcome = await peer.next(
      "relayed",
      (one) => one.id === "dispute" && one.status !== "queued",
      30_000,
    );
    expect(outcome.status, outcome.reason).to.equal("confirmed");
    const [isDisputed] = await test.market.client.readContract({
      address: deployment.contracts.ComputeNode,
      abi: computeNodeAbi,
      functionName: "correctionOf",
      args: [slot, nodeId],
    });
    expect(isDisputed).to.equal(true);
    const forged = { ...dispute, proof: [...dispute.proof, `0x${"11".repeat(32)}`] };
    peer.send({
      type: "relay",
      id: "forged",
      kind: "dispute",
      message: { ...forged, slot: slot - 1n },
      signature,
    });
    const refused = await peer.next(
      "relayed",
      (one) => one.id === "forged" && one.status === "refused",
      30_000,
    );
    expect(refused.reason).to.match(/^HeartbeatAckUnsigned/);
    peer.vanish();
  });

  it("continues when the leader is killed, and commits no slot twice", async () => {
    const [a, b] = instances;
    if (a === undefined || b === undefined) throw new Error("Two instances were started.");
    const { peer, nodeId } = await joinNode(b.url, deployment);
    peer.beat(deployment.parameters.slotSeconds);
    await peer.next("ack");
    await a.kill();
    const slot = slotNow() + 1n;
    const present = await eventually(`slot ${slot} is posted`, () => posted(slot), 40_000);
    expect(present).to.include(nodeId);
    await b.kill();
    const { rows } = await test.db.query(
      "select slot from chain.event_heartbeats_committed group by slot having count(*) > 1",
    );
    expect(rows).to.deep.equal([]);
  });
});
