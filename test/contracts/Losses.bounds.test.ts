import { expect } from "chai";
import { parseEther } from "viem";
import { load, serve, small } from "./support/keepers.ts";
import { reasonsIn, releaseLost, releaseReason, stateLoss, witness } from "./support/losses.ts";
import { addNodes } from "./support/nodes.ts";
import { commitCosigned, disputeOf } from "./support/presence.ts";
import { expectRefused, expectRevert, zeroHash } from "./support/reverts.ts";
import { assign, authorize, deposit, partner, publish, report, state } from "./support/workspaces.ts";

describe("Bounds of losses: prices of replacements, and statements", () => {
  it("are limited by the lowest of the losses of a day, and by the highest price there is", async () => {
    const market = await load();
    const { docker } = market;
    const [cheap] = await addNodes(market, ["a cheap node"], { pricePerSecond: 500n });
    const placed = await serve(market, { resources: small });
    expect(reasonsIn(await releaseLost(market, [placed]))).to.deep.equal([releaseReason.lost]);
    expect((await docker.read.priceLimitOf([placed.workspaceId, 0]))[0]).to.equal(1_100n);
    if (cheap === undefined) throw new Error("The node was not registered.");
    const { workspaceId, spec } = placed;
    await assign(market, [{ workspaceId, replica: 0, nodeId: cheap.id, start: true, spec }]);
    const { fence } = await docker.read.assignmentOf([workspaceId, 0]);
    const next = { ...placed, fence, ref: { ...placed.ref, lease: 2 } };
    await report(market, next, state.running, 1, {}, cheap.key);
    const lost = await releaseLost(market, [next], [await stateLoss(market, cheap.id)]);
    expect(reasonsIn(lost)).to.deep.equal([releaseReason.lost]);
    expect((await docker.read.priceLimitOf([workspaceId, 0]))[0]).to.equal(550n);
  });

  it("at the highest price are not limited above what a price can be", async () => {
    const market = await load();
    const highest = 2n ** 64n - 1n;
    await deposit(market, partner.address, parseEther("100"));
    const limits = { maxRate: highest, total: parseEther("100") };
    const authorizationId = await authorize(market, { nonce: 2n, daily: 2n ** 96n - 1n, ...limits });
    const [dear] = await addNodes(market, ["a dear node"], { pricePerSecond: highest });
    if (dear === undefined) throw new Error("The node was not registered.");
    const { workspaceId, spec } = await publish(
      market,
      { resources: small, maxPricePerSecond: highest },
      { authorizationId },
    );
    await assign(market, [{ workspaceId, replica: 0, nodeId: dear.id, start: true, spec }]);
    const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
    const ref = { workspaceId, replica: 0, lease: 1 };
    await report(market, { ref, fence }, state.running, 1, {}, dear.key);
    await releaseLost(market, [{ ref, spec }], [await stateLoss(market, dear.id)]);
    const [limit, until] = await market.docker.read.priceLimitOf([workspaceId, 0]);
    expect([limit, until > 0]).to.deep.equal([highest, true]);
  });

  it("whose signature recovers no account count for nothing", async () => {
    const market = await load();
    const placed = await serve(market, { resources: small });
    const loss = { ...(await stateLoss(market)), r: zeroHash, vs: zeroHash };
    expectRefused(await releaseLost(market, [placed], [loss]), "LossUnsigned", { nodeId: 1 });
    const none = { encoding: 0, nodeCount: 0, bits: "0x" } as const;
    await expectRevert(market.docker.write.disproveWitness([loss, 1n, none]), "LossUnsigned", { nodeId: 1 });
  });

  it("are disproved by a list of absent nodes, before, between and after them", async () => {
    const market = await load();
    const names = Array.from({ length: 300 }, (_, place) => `node ${place}`);
    const joined = [
      ...(await addNodes(market, names.slice(0, 150))),
      ...(await addNodes(market, names.slice(150))),
    ];
    const nodeCount = 2 + joined.length;
    await market.time.increaseTo((Math.floor((await market.time.latest()) / 60) + 10) * 60);
    const now = await market.time.latest();
    const slot = BigInt((now - 360) / 60 + 3);
    // Nodes 2 and 290 are absent: distances of one byte and of two.
    const committed = { encoding: 1, nodeCount, bits: "0x02a002" as const };
    const { encoding: _, ...slotBits } = committed;
    await commitCosigned(market, slot, { ...slotBits, encoding: "absentees" });
    const nodeIds = [1, 2, 200, 290, 300];
    await market.computeNode.write.disputeHeartbeats([[await disputeOf(market, slot, { nodeIds })]]);
    const { networkHelpers } = market.connection;
    for (const nodeId of nodeIds) {
      const snapshot = await networkHelpers.takeSnapshot();
      const loss = await stateLoss(market, nodeId, { lastHeard: now - 360, statedAt: now });
      const call = market.docker.write.disproveWitness([loss, slot, committed]);
      if (nodeId === 2 || nodeId === 290) await expectRevert(call, "PresenceUnproven", { nodeId });
      else await call;
      const isWitness = (await market.docker.read.witnessOf([witness.address]))[0];
      expect([nodeId, isWitness]).to.deep.equal([nodeId, nodeId === 2 || nodeId === 290]);
      await snapshot.restore();
    }
  });
});
