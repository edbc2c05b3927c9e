import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { getAbiItem, type Hex, toFunctionSelector } from "viem";
import { eventually } from "../support/context.ts";
import { connect, joinMeasurer, joinNode, type Peer, soon } from "./client.ts";
import { drawOf, result } from "./measured.ts";
import { type Match, setupMatch, type TestMatch } from "./setup.ts";

describe("match: replaced contracts", function () {
  this.timeout(240_000);
  let test: TestMatch;
  let match: Match;
  let present: Deployment;
  let node: { peer: Peer; nodeId: number };
  let measurer: { peer: Peer; measurerId: number };
  let measurerIdNow: number;
  let roundId: bigint;
  let old: Awaited<ReturnType<TestMatch["chain"]["publish"]>>;
  let next: Awaited<ReturnType<TestMatch["readDeployment"]>>;

  before(async () => {
    test = await setupMatch({ measureWindowSeconds: 200 });
    match = await test.startMatch("match-a");
    const previous = test.market.deployment;
    measurer = await joinMeasurer(match.url, previous);
    node = await joinNode(match.url, previous);
    // Wait for its round to open.
    ({ roundId } = await node.peer.next("probe", undefined, 60_000));
    old = await test.chain.publish({}, undefined, 1);
    await test.chain.assign(old, 0, node.nodeId);
    await match.kill();
    const selector = toFunctionSelector(getAbiItem({ abi: pomcAbi, name: "postEpoch" }));
    const pause = { kind: "test", contract: "Pomc", functionName: "pause", args: [[selector]] } as const;
    await test.keeper.send(pause);
    await test.market.replace("market");
    await test.market.replace("measure");
    present = test.market.deployment;
    next = await test.readDeployment();
    match = await test.startMatch("match-a");
    node.peer = await connect(match.url, present, "node", node.peer.account);
    node.peer.beat(present.parameters.slotSeconds);
  });

  after(async () => {
    await test.stop();
  });

  const generationsOf = async (event: string, field: "workspace_id" | "round_id", id: bigint) => {
    const { rows } = await test.db.query<{ generation: number }>(
      `select distinct generation from chain.event_${event} where ${field} = $1 order by generation`,
      [id],
    );
    return rows.map(({ generation }) => generation);
  };

  /** Acts as the node and the measurer of a round until its result is published. */
  const carryOut = async (prober: Peer, id: bigint, measurerId: number) => {
    const probe = await prober.next("probe", (order) => order.roundId === id, 60_000);
    prober.send({ type: "probeReady", roundId: id, port: probe.port });
    const order = await measurer.peer.next("measure", (one) => one.roundId === id, 60_000);
    expect(order.measurerId).to.equal(measurerId);
    const reveal = { roundId: id, measurerId, ...drawOf(order), result, deadline: soon() };
    await measurer.peer.relay(`reveal ${id}`, "reveal", reveal);
    const isOver = (message: { id: string; status: string }) =>
      message.id === `reveal ${id}` && message.status !== "queued";
    expect(await measurer.peer.next("relayed", isOver, 60_000)).to.include({ status: "confirmed" });
    await eventually("the result is published", async () => {
      const { rows } = await test.db.query(
        "select from chain.measurement where round_id = $1 and status = 'finalized'",
        [id],
      );
      return rows.length === 1;
    });
  };

  it("lets a measurer register again and complete an earlier round at the old contract", async () => {
    const { account } = measurer.peer;
    measurer.peer = await connect(match.url, present, "measurer", account);
    expect((await measurer.peer.next("welcome")).id).to.equal(null);
    const wallet: Hex = "0x0000000000000000000000000000000000000000";
    await measurer.peer.relay("again", "registerMeasurer", {
      key: account.address,
      wallet,
      region: "0x4445",
      deadline: soon(),
      consent: "0x",
    });
    const { id } = await measurer.peer.next("welcome", (message) => message.id !== null);
    measurerIdNow = Number(id);
    expect(measurerIdNow).to.equal(2 ** 24 + 1);
    await carryOut(node.peer, roundId, measurer.measurerId);
    expect(await generationsOf("measure_finalized", "round_id", roundId)).to.deep.equal([1]);
  });

  it("measures the next node at the new contract", async () => {
    const other = await joinNode(match.url, present);
    other.peer.beat(present.parameters.slotSeconds);
    const id = await eventually("a round of it", async () => {
      const { rows } = await test.db.query<{ round_id: bigint }>(
        "select round_id::int8 from chain.measurement where node_id = $1",
        [other.nodeId],
      );
      return rows[0]?.round_id;
    });
    expect(id > 2n ** 40n).to.equal(true);
    await carryOut(other.peer, id, measurerIdNow);
    expect(await generationsOf("measure_finalized", "round_id", id)).to.deep.equal([2]);
  });

  it("releases the leases of a lost node, each at its own contract", async () => {
    const own = await next.chain.publish({}, undefined, 1);
    await next.chain.assign(own, 0, node.nodeId);
    await eventually("both are exported", async () => {
      const { rows } = await test.db.query("select from chain.assignment where node_id = $1", [node.nodeId]);
      return rows.length === 2;
    });
    node.peer.vanish();
    for (const [workspace, generation] of [
      [old, 1],
      [own, 2],
    ] as const) {
      await eventually("it is released", async () => {
        const found = await generationsOf("released", "workspace_id", workspace.id);
        return found.length > 0 && found;
      });
      expect(await generationsOf("released", "workspace_id", workspace.id)).to.deep.equal([generation]);
    }
  });
});
