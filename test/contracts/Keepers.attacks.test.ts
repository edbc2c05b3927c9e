import { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { keccak256, parseEther, parseEventLogs, type TransactionReceipt } from "viem";
import { addThief, deleteAsKeeper, leave, load, type Placed, serve, small } from "./support/keepers.ts";
import { reasonsIn, releaseLost, releaseReason, stateLoss } from "./support/losses.ts";
import { keyOf } from "./support/market.ts";
import { addNodes, nodeSpec } from "./support/nodes.ts";
import { expectRefused, refusalsOf } from "./support/reverts.ts";
import {
  assign,
  config,
  type PartnerFixture,
  partner,
  place,
  publish,
  report,
  state,
} from "./support/workspaces.ts";

describe("Attacks with a keeper's key: it alone", () => {
  it("releases no lease that runs on a node that is online", async () => {
    const market = await load();
    const placed = await serve(market);
    const refused = { workspaceId: placed.workspaceId, lease: 1, nodeId: 1 };
    expectRefused(await releaseLost(market, [placed], []), "LossUnproven", refused);
    const about = await stateLoss(market, 2);
    expectRefused(await releaseLost(market, [placed], [about]), "LossUnproven", refused);
    const own = keyOf("a thief");
    const forged = await stateLoss(market, 1, {}, own);
    expectRefused(await releaseLost(market, [placed], [forged]), "LossUnsigned", { signer: own.address });
    expect((await market.docker.read.assignmentOf([placed.workspaceId, 0])).state).to.equal(state.running);
  });

  it("releases what failed, is on a node that left or is marked offline, or is late", async () => {
    const market = await load();
    const { time } = market;
    const failed = await serve(market, { resources: small });
    await report(market, failed, state.failed, 2);
    const kept = await serve(market, { resources: small });
    const receipt = await releaseLost(market, [failed, kept], []);
    expect(reasonsIn(receipt)).to.deep.equal([releaseReason.replaced]);
    expect(refusalsOf(receipt).map(({ index, name }) => [index, name])).to.deep.equal([[1, "LossUnproven"]]);
    const late = await place(market, { resources: small });
    await time.increase(1_801);
    expect(reasonsIn(await releaseLost(market, [late], []))).to.deep.equal([releaseReason.late]);
    await leave(market);
    expect(reasonsIn(await releaseLost(market, [kept], []))).to.deep.equal([releaseReason.lost]);
  });

  it("deletes no lease that runs as ordered, whatever its node reported before", async () => {
    const market = await load();
    const placed = await serve(market);
    const refused = { workspaceId: placed.workspaceId, replica: 0, lease: 1 };
    expectRefused(await deleteAsKeeper(market, placed), "KeeperOrderUnfounded", refused);
    await report(market, placed, state.failed, 2);
    await report(market, placed, state.running, 3);
    expectRefused(await deleteAsKeeper(market, placed), "KeeperOrderUnfounded", refused);
  });

  it("deletes no lease that rests by its owner's order, and stops none that its owner did not stop", async () => {
    const market = await load();
    const { docker, people, mined } = market;
    const placed = await serve(market);
    const refs = [placed.ref];
    const stopped = await mined(docker.write.requestStop([refs], { account: people.keeper }));
    expectRefused(stopped, "WorkspaceNotStopped", { workspaceId: placed.workspaceId });
    await docker.write.stopWorkspace([placed.workspaceId, []], { account: people.delegate });
    expect(
      refusalsOf(await mined(docker.write.requestStop([refs], { account: people.keeper }))),
    ).to.deep.equal([]);
    await report(market, placed, state.stopped, 2);
    expectRefused(await deleteAsKeeper(market, placed), "KeeperOrderUnfounded", { lease: 1 });
  });

  const grounds: Record<string, (market: PartnerFixture, placed: Placed) => Promise<unknown>> = {
    "whose workspace is closed": ({ docker, people }, { workspaceId }) =>
      docker.write.closeWorkspace([workspaceId], { account: people.delegate }),
    "beyond the replicas": ({ docker, people }, { workspaceId }) =>
      docker.write.setReplicas([workspaceId, 0], { account: people.delegate }),
    "of before the workspace's last update": ({ docker, people }, { workspaceId, spec }) => {
      const next = { ...spec, image: keccak256("0x02") };
      return docker.write.updateWorkspace([workspaceId, spec, next, config], { account: people.delegate });
    },
    "on a node that is not online": (market) => leave(market),
    "that does not run although it is ordered to": (market, placed) =>
      report(market, placed, state.stopped, 2),
    "that is not paid for": async ({ escrow, people, connection }) => {
      const { networkHelpers } = connection;
      await networkHelpers.impersonateAccount(partner.address);
      await networkHelpers.setBalance(partner.address, parseEther("1"));
      const free = await escrow.read.withdrawableOf([partner.address]);
      await escrow.write.withdraw([free - 10_000n, people.outsider], { account: partner.address });
      await networkHelpers.time.increase(100);
    },
  };
  for (const [what, change] of Object.entries(grounds)) {
    it(`deletes a lease ${what}`, async () => {
      const market = await load();
      const placed = await serve(market);
      expectRefused(await deleteAsKeeper(market, placed), "KeeperOrderUnfounded", { lease: 1 });
      await change(market, placed);
      expect(refusalsOf(await deleteAsKeeper(market, placed))).to.deep.equal([]);
    });
  }

  it("deletes no lease that was assigned after the last update", async () => {
    const market = await load();
    const { docker, people } = market;
    const { workspaceId, spec } = await publish(market);
    const next = { ...spec, image: keccak256("0x02") };
    await docker.write.updateWorkspace([workspaceId, spec, next, config], { account: people.delegate });
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec: next }]);
    const { fence } = await docker.read.assignmentOf([workspaceId, 0]);
    const ref = { workspaceId, replica: 0, lease: 1 };
    await report(market, { ref, fence }, state.running, 1);
    expectRefused(await deleteAsKeeper(market, { ref }), "KeeperOrderUnfounded", { lease: 1 });
  });
});

/** What a transaction says of the prices of replacements. */
const limitsIn = ({ logs }: TransactionReceipt) =>
  parseEventLogs({ abi: dockerContractAbi, logs, eventName: "PriceLimited" }).map(({ args }) => args);

describe("Attacks with a keeper's key: the price of what it takes away", () => {
  const item = ({ workspaceId, spec }: Placed, nodeId: number) => {
    return { workspaceId, replica: 0, nodeId, start: true, spec };
  };

  it("is a tenth more at most for an hour, also when it takes the replacement away again", async () => {
    const market = await load();
    const { docker, time } = market;
    const placed = await serve(market);
    const thief = await addThief(market, 1_101n);
    await report(market, placed, state.failed, 2);
    await releaseLost(market, [placed], []);
    const until = (await time.latest()) + 3_600;
    expect(await docker.read.priceLimitOf([placed.workspaceId, 0])).to.deep.equal([1_100n, until]);
    expectRefused(await assign(market, [item(placed, thief)]), "PriceAboveLimit", {
      price: 1_101n,
      limit: 1_100n,
    });
    const tenth = (await addNodes(market, ["more expensive by a tenth"], { pricePerSecond: 1_100n }))[0];
    if (tenth === undefined) throw new Error("The node was not registered.");
    expect(refusalsOf(await assign(market, [item(placed, tenth.id)]))).to.deep.equal([]);
    await time.increase(1_800);
    const again = { ...placed, ref: { ...placed.ref, lease: 2 } };
    const { fence } = await docker.read.assignmentOf([placed.workspaceId, 0]);
    await report(market, { ref: again.ref, fence }, state.running, 1, {}, tenth.key);
    await report(market, { ref: again.ref, fence }, state.failed, 2, {}, tenth.key);
    await releaseLost(market, [again], []);
    const later = (await time.latest()) + 3_600;
    expect(await docker.read.priceLimitOf([placed.workspaceId, 0])).to.deep.equal([1_100n, later]);
    await time.increaseTo(later - 2);
    expectRefused(await assign(market, [item(placed, thief)]), "PriceAboveLimit", { limit: 1_100n });
    await time.increaseTo(later);
    expect(refusalsOf(await assign(market, [item(placed, thief)]))).to.deep.equal([]);
  });

  it("is a tenth more at most for a day where the lease was lost, and no later loss raises or shortens that", async () => {
    const market = await load();
    const { docker, time, computeNode } = market;
    const placed = await serve(market);
    const { workspaceId } = placed;
    const thief = await addThief(market, 1_101n);
    const [tenth] = await addNodes(market, ["more expensive by a tenth"], { pricePerSecond: 1_100n });
    if (tenth === undefined) throw new Error("The node was not registered.");
    await releaseLost(market, [placed]);
    const until = (await time.latest()) + 86_400;
    expect(await docker.read.priceLimitOf([workspaceId, 0])).to.deep.equal([1_100n, until]);
    await assign(market, [item(placed, tenth.id)]);
    const { fence } = await docker.read.assignmentOf([workspaceId, 0]);
    const again = { ...placed, ref: { ...placed.ref, lease: 2 } };
    await report(market, { ref: again.ref, fence }, state.running, 1, {}, tenth.key);
    await time.increase(3_600);
    await report(market, { ref: again.ref, fence }, state.failed, 2, {}, tenth.key);
    await releaseLost(market, [again], []);
    expect(await docker.read.priceLimitOf([workspaceId, 0])).to.deep.equal([1_100n, until]);
    await time.increaseTo(until - 2);
    expectRefused(await assign(market, [item(placed, thief)]), "PriceAboveLimit", { limit: 1_100n });
    await time.increaseTo(until);
    expect(refusalsOf(await assign(market, [item(placed, thief)]))).to.deep.equal([]);
    expect(await computeNode.read.freeOf([1])).to.deep.equal(nodeSpec.total);
  });

  it("is the owner's maximum again once it updated the workspace", async () => {
    const market = await load();
    const { docker, people } = market;
    const placed = await serve(market);
    const { workspaceId, spec } = placed;
    const thief = await addThief(market, 50_000n);
    await releaseLost(market, [placed]);
    const raised = { ...spec, maxPricePerSecond: 110_000n };
    expectRefused(await assign(market, [item(placed, thief)]), "PriceAboveLimit", { limit: 1_100n });
    await docker.write.updateWorkspace([workspaceId, spec, raised, config], { account: people.delegate });
    expect((await docker.read.priceLimitOf([workspaceId, 0]))[1]).to.equal(0);
    expect(refusalsOf(await assign(market, [item({ ...placed, spec: raised }, thief)]))).to.deep.equal([]);
    expect((await docker.read.priceLimitOf([workspaceId, 0]))[1]).to.equal(0);
  });

  it("is limited again by a lease that a keeper takes away after the update, and not by one of before it", async () => {
    const market = await load();
    const { docker, people } = market;
    const placed = await serve(market);
    const { workspaceId, spec } = placed;
    const thief = await addThief(market, 50_000n);
    await releaseLost(market, [placed]);
    const raised = { ...spec, maxPricePerSecond: 110_000n };
    await docker.write.updateWorkspace([workspaceId, spec, raised, config], { account: people.delegate });
    // The owner itself assigns; the limit of its earlier terms does not come back.
    await assign(market, [item({ ...placed, spec: raised }, 1)], people.delegate);
    const { fence } = await docker.read.assignmentOf([workspaceId, 0]);
    const again = { workspaceId, spec: raised, ref: { ...placed.ref, lease: 2 }, fence };
    await report(market, again, state.running, 1);
    await docker.write.requestDelete([[again.ref]], { account: people.delegate });
    await report(market, again, state.deleted, 2);
    expect(await docker.read.priceLimitOf([workspaceId, 0])).to.deep.equal([2n ** 64n - 1n, 0]);
    await assign(market, [item({ ...placed, spec: raised }, 1)], people.delegate);
    const third = { ...again, ref: { ...placed.ref, lease: 3 } };
    const { fence: newest } = await docker.read.assignmentOf([workspaceId, 0]);
    await report(market, { ref: third.ref, fence: newest }, state.running, 1);
    await releaseLost(market, [third]);
    expectRefused(await assign(market, [item({ ...placed, spec: raised }, thief)]), "PriceAboveLimit", {
      limit: 1_100n,
    });
  });

  it("is limited after an order to delete what does not run, and after a node left, and not for the owner", async () => {
    const market = await load();
    const { docker, people } = market;
    const thief = await addThief(market, 50_000n);
    const stopped = await serve(market, { resources: small });
    const lost = await serve(market, { resources: small });
    await report(market, stopped, state.stopped, 2);
    const order = await deleteAsKeeper(market, stopped);
    expect(refusalsOf(order)).to.deep.equal([]);
    const until = (await market.time.latest()) + 3_600;
    expect(limitsIn(order)).to.deep.equal([
      { workspaceId: stopped.workspaceId, replica: 0, lease: 1, pricePerSecond: 1_100n, until },
    ]);
    await report(market, stopped, state.deleted, 3);
    await leave(market);
    const released = await releaseLost(market, [lost], []);
    expect(limitsIn(released)).to.deep.equal([
      {
        workspaceId: lost.workspaceId,
        replica: 0,
        lease: 1,
        pricePerSecond: 1_100n,
        until: (await market.time.latest()) + 86_400,
      },
    ]);
    for (const placed of [stopped, lost]) {
      expectRefused(await assign(market, [item(placed, thief)]), "PriceAboveLimit", { limit: 1_100n });
    }
    expect(refusalsOf(await assign(market, [item(stopped, thief)], people.delegate))).to.deep.equal([]);
    expect((await docker.read.priceLimitOf([lost.workspaceId, 1]))[1]).to.equal(0);
  });

  it("is the owner's maximum where the lease never ran", async () => {
    const market = await load();
    const thief = await addThief(market, 50_000n);
    const placed = await place(market, { maxPricePerSecond: 100_000n });
    await report(market, placed, state.failed, 1);
    expect(limitsIn(await releaseLost(market, [placed], []))).to.deep.equal([]);
    expect(refusalsOf(await assign(market, [item(placed, thief)]))).to.deep.equal([]);
  });

  it("is the owner's maximum where its owner ended the lease", async () => {
    const market = await load();
    const { docker, people } = market;
    const placed = await serve(market);
    const thief = await addThief(market, 50_000n);
    await docker.write.requestDelete([[placed.ref]], { account: people.delegate });
    await report(market, placed, state.deleted, 2);
    expect((await docker.read.priceLimitOf([placed.workspaceId, 0]))[0]).to.equal(2n ** 64n - 1n);
    expect(refusalsOf(await assign(market, [item(placed, thief)]))).to.deep.equal([]);
  });
});
