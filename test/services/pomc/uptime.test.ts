import { codeOf, heartbeatEncodings } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi } from "@ngpu/contracts-sdk/generated/abi";
import { createPool } from "@ngpu/db/pool";
import { encodeHeartbeats } from "@ngpu/protocol/heartbeatBits";
import { cosignSlot } from "@ngpu/protocol/heartbeatCosign";
import { type DayFacts, uptimeLeaves } from "@ngpu/rewards/uptime";
import { createSender } from "@ngpu/tx-sender/send";
import { expect } from "chai";
import { encodeFunctionData, type Hex } from "viem";
import { uptimeRound } from "../../../services/pomc/uptime/round.ts";
import { eventually } from "../support/context.ts";
import { accounts } from "../workspace/chain.ts";
import { addNode, assign, fund, publish } from "../workspace/chainActions.ts";
import { openMarket, type TestMarket } from "../workspace/market.ts";
import { report } from "../workspace/nodeReports.ts";

const lease = { workspaceId: 1n, replica: 0, lease: 1, nodeId: 1, authorizationId: 1n, rate: 5n };

/** Day 2 of 100 s, slots of 10 s: slots 20 to 29. */
function facts(changes: Partial<DayFacts>): DayFacts {
  const none = { slots: [], disputes: [], challenges: [], runs: [] };
  return { day: 2n, daySeconds: 100, slotSeconds: 10, ...none, ...changes };
}

const slot = (number: number, present: number[], nodeCount = 2) => ({
  slot: number,
  ...encodeHeartbeats(nodeCount, new Set(present)),
});

describe("a day's uptime", () => {
  it("counts the committed slots of the day and ignores the others", () => {
    const slots = [slot(19, []), slot(20, [1]), slot(25, [1, 2]), slot(30, [])];
    expect(uptimeLeaves(facts({ slots }))).to.deep.equal([
      { kind: "node", day: 2n, nodeId: 1, presentSlots: 2, totalSlots: 2 },
      { kind: "node", day: 2n, nodeId: 2, presentSlots: 1, totalSlots: 2 },
    ]);
    expect(uptimeLeaves(facts({}))).to.deep.equal([]);
  });

  it("reads a disputed bit as set and a challenged bit as clear; a challenge overrides a dispute", () => {
    const leaves = uptimeLeaves(
      facts({
        slots: [slot(20, [2]), slot(21, [2]), slot(22, [1])],
        disputes: [20, 21].map((number) => ({ slot: number, nodeId: 1 })),
        challenges: [
          { nodeId: 1, firstSlot: 21, lastSlot: 23 },
          { nodeId: 3, firstSlot: 29, lastSlot: 40 },
        ],
      }),
    );
    expect(leaves).to.deep.equal([
      { kind: "node", day: 2n, nodeId: 1, presentSlots: 1, totalSlots: 4 },
      { kind: "node", day: 2n, nodeId: 2, presentSlots: 2, totalSlots: 3 },
      { kind: "node", day: 2n, nodeId: 3, presentSlots: 0, totalSlots: 1 },
    ]);
  });

  it("refunds the seconds in which a lease ran while its node was down, with one leaf for each lease", () => {
    const leaves = uptimeLeaves(
      facts({
        slots: [20, 21, 22, 23].map((number) => slot(number, [2])),
        runs: [
          { ...lease, from: 205, to: 212 },
          { ...lease, from: 215, to: 231 },
          { ...lease, workspaceId: 2n, from: 270, to: 300 },
          { ...lease, workspaceId: 3n, nodeId: 2, from: 200, to: 300 },
          { ...lease, lease: 2, from: 235, to: 300 },
        ],
      }),
    );
    expect(leaves.filter(({ kind }) => kind === "lease")).to.deep.equal([
      { kind: "lease", day: 2n, ...lease, downSeconds: 23 },
      { kind: "lease", day: 2n, ...lease, lease: 2, downSeconds: 5 },
    ]);
  });
});

describe("the leader's day", function () {
  this.timeout(120_000);
  let market: TestMarket;
  before(async () => {
    market = await openMarket();
  });
  after(() => market.stop());

  const call = (
    functionName: "setHeartbeatCommitter" | "setHeartbeatCosigner" | "commitCosignedHeartbeats",
    args: readonly unknown[],
  ) =>
    market.chain.call(
      "deployer",
      "ComputeNode",
      encodeFunctionData({ abi: computeNodeAbi, functionName, args } as Parameters<
        typeof encodeFunctionData
      >[0]),
    );

  it("posts a root once the day's presence is final, and submits its refunds once", async () => {
    const { chain } = market;
    const { daySeconds, slotSeconds, heartbeatWindowSeconds, uptimeDelay } = chain.deployment.parameters;
    const now = async () => Number((await chain.client.getBlock()).timestamp);
    const goTo = async (time: number) => chain.pass(Math.max(1, time - (await now())));
    await call("setHeartbeatCommitter", [accounts.deployer.address, true]);
    await call("setHeartbeatCosigner", [accounts.witness.address, true]);
    const nodeId = await addNode(chain, "one");
    const authorizationId = await fund(chain, 1_000_000n);
    const published = await publish(chain, { authorizationId });
    const day = Math.floor((await now()) / daySeconds) + 1;
    await goTo(day * daySeconds + 30);
    const ref = await assign(chain, published, { nodeId, start: true });
    await report(chain, "one", ref, "ready");
    await report(chain, "one", ref, "running");
    await goTo(day * daySeconds + 400);
    const absent = encodeHeartbeats(nodeId, new Set());
    const first = (day * daySeconds) / slotSeconds + 2;
    for (const slot of [first, first + 1, first + 2]) {
      const encoding = codeOf(heartbeatEncodings, absent.encoding);
      const signature = await cosignSlot(accounts.witness, chain.deployment, BigInt(slot), absent);
      await call("commitCosignedHeartbeats", [BigInt(slot), encoding, nodeId, absent.bits as Hex, signature]);
    }

    const pool = createPool({ url: market.urlAs("ngpu_pomc"), name: "pomc" });
    const { logger, signal } = market.context;
    const { deployment } = chain;
    const sender = await createSender({
      pool,
      client: chain.client,
      account: accounts.deployer,
      deployment,
      logger,
      signal,
      pollMs: 20,
    });
    const round = async () => {
      await market.exported();
      await uptimeRound({ pool, sender, deployment, logger });
      await market.exported();
    };
    const posted = async () => (await market.pool.query("select day from chain.event_uptime_committed")).rows;
    await goTo((day + 1) * daySeconds + heartbeatWindowSeconds - 60);
    await round();
    expect(await posted()).to.deep.equal([]);
    await goTo((day + 1) * daySeconds + heartbeatWindowSeconds + 5);
    await eventually("the root", async () => {
      await round();
      return (await posted()).length > 0;
    });
    expect(await posted()).to.deep.equal([{ day: BigInt(day) }]);
    await chain.pass(uptimeDelay + 1);
    const refunds = () => market.pool.query("select owner, amount, down_seconds from chain.event_refunded");
    await eventually("the refund", async () => {
      await round();
      return (await refunds()).rowCount === 1;
    });
    await round();
    const amount = BigInt(3 * slotSeconds) * 1_000n;
    expect((await refunds()).rows).to.deep.equal([
      { owner: accounts.owner.address.toLowerCase(), amount, down_seconds: BigInt(3 * slotSeconds) },
    ]);
    const { rows } = await market.pool.query("select refunded from chain.escrow_account");
    expect(rows).to.deep.equal([{ refunded: amount }]);
    await pool.end();
  });
});
