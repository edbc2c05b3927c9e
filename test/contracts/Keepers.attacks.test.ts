import { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { signHeartbeats } from "@ngpu/protocol/heartbeatAck";
import type { LossStatement } from "@ngpu/protocol/lossStatement";
import { expect } from "chai";
import { type Hex, keccak256, parseEther, parseEventLogs } from "viem";
import { reasonsIn, releaseLost, releaseReason, stateLoss, witness } from "./support/losses.ts";
import { keyOf, marketFixture } from "./support/market.ts";
import { addNodes, nodeSpec } from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf } from "./support/reverts.ts";
import {
  assign,
  config,
  deposit,
  loadPartner,
  type PartnerFixture,
  partner,
  place,
  publish,
  report,
  state,
} from "./support/workspaces.ts";

const terms = {
  lossFloor: 2,
  lossBasisPoints: 500,
  lossSilenceSeconds: 10,
  startSeconds: 1_800,
  restSeconds: 120,
};
const small = { gpus: 0, cpuMilli: 100, memoryMib: 100, diskGib: 1, ports: 0 };
const strict = () => marketFixture(terms);
type Placed = Awaited<ReturnType<typeof place>>;

async function load(): Promise<PartnerFixture> {
  const market = await loadPartner(strict);
  await deposit(market, partner.address, parseEther("1"));
  return market;
}

/** A replica that runs on node 1, at 1,000 a second. */
async function serve(market: PartnerFixture, changes: Parameters<typeof place>[1] = {}): Promise<Placed> {
  const placed = await place(market, { maxPricePerSecond: 100_000n, ...changes });
  await report(market, placed, state.running, 1);
  return placed;
}

const deleteAsKeeper = ({ docker, people, mined }: PartnerFixture, { ref }: Pick<Placed, "ref">) =>
  mined(docker.write.requestDelete([[ref]], { account: people.keeper }));

/** Node 3, which the thief owns, at this price. */
async function addThief(market: PartnerFixture, pricePerSecond: bigint): Promise<number> {
  const [node] = await addNodes(market, ["thief's node"], { pricePerSecond });
  if (node === undefined) throw new Error("The node was not registered.");
  return node.id;
}

async function leave(market: PartnerFixture, nodeId = 1) {
  await market.computeNode.write.markOffline([[nodeId]], { account: market.people.committer });
}

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
    const tenth = (await addNodes(market, ["dearer by a tenth"], { pricePerSecond: 1_100n }))[0];
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
    const [tenth] = await addNodes(market, ["dearer by a tenth"], { pricePerSecond: 1_100n });
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
    const dearer = { ...spec, maxPricePerSecond: 110_000n };
    expectRefused(await assign(market, [item(placed, thief)]), "PriceAboveLimit", { limit: 1_100n });
    await docker.write.updateWorkspace([workspaceId, spec, dearer, config], { account: people.delegate });
    expect((await docker.read.priceLimitOf([workspaceId, 0]))[1]).to.equal(0);
    expect(refusalsOf(await assign(market, [item({ ...placed, spec: dearer }, thief)]))).to.deep.equal([]);
    expect((await docker.read.priceLimitOf([workspaceId, 0]))[1]).to.equal(0);
  });

  it("is limited after an order to delete what does not run, and after a node left, and not for the owner", async () => {
    const market = await load();
    const { docker, people } = market;
    const thief = await addThief(market, 50_000n);
    const stopped = await serve(market, { resources: small });
    const lost = await serve(market, { resources: small });
    await report(market, stopped, state.stopped, 2);
    expect(refusalsOf(await deleteAsKeeper(market, stopped))).to.deep.equal([]);
    await report(market, stopped, state.deleted, 3);
    await leave(market);
    await releaseLost(market, [lost], []);
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
    await releaseLost(market, [placed], []);
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

describe("Attacks with the keys of a keeper and a witness", () => {
  async function serveMany(market: PartnerFixture, replicas: number): Promise<Placed[]> {
    const changes = { resources: small, maxPricePerSecond: 100_000n };
    const { workspaceId, spec } = await publish(market, changes, { replicas });
    const numbers = Array.from({ length: replicas }, (_, replica) => replica);
    await assign(
      market,
      numbers.map((replica) => ({ workspaceId, replica, nodeId: 1, start: true, spec })),
    );
    const placed: Placed[] = [];
    for (const replica of numbers) {
      const { fence } = await market.docker.read.assignmentOf([workspaceId, replica]);
      const one = { workspaceId, spec, ref: { workspaceId, replica, lease: 1 }, fence };
      await report(market, one, state.running, 1);
      placed.push(one);
    }
    return placed;
  }

  it("take the floor or a twentieth of the live leases in ten minutes, and then only what is offline", async () => {
    const market = await load();
    const placed = await serveMany(market, 8);
    const receipt = await releaseLost(market, placed);
    const nextAt = BigInt((await market.time.latest()) + 600);
    expect(reasonsIn(receipt)).to.deep.equal([releaseReason.lost, releaseReason.lost]);
    const refused = refusalsOf(receipt);
    expect(refused.map(({ index }) => index)).to.deep.equal([2, 3, 4, 5, 6, 7]);
    for (const { name, args } of refused) {
      expect([name, args]).to.deep.equal([
        "LossLimitReached",
        { witness: witness.address, limit: 2n, nextAt },
      ]);
    }
    expect(await market.docker.read.witnessOf([witness.address])).to.deep.equal([
      true,
      Number(nextAt) - 600,
      2,
    ]);
    await market.time.increase(598);
    expect(reasonsIn(await releaseLost(market, placed.slice(2)))).to.deep.equal([]);
    await market.time.increase(1);
    expect(reasonsIn(await releaseLost(market, placed.slice(2)))).to.have.length(2);
    await leave(market);
    expect(reasonsIn(await releaseLost(market, placed.slice(4)))).to.have.length(4);
  });

  it("move 30% of the leases in an hour, at a tenth more", async () => {
    const market = await load();
    const { docker, time } = market;
    const thief = await addThief(market, 1_100n);
    const placed = await serveMany(market, 40);
    const began = await time.latest();
    let taken = 0;
    let kept = placed;
    while ((await time.latest()) < began + 3_590) {
      const { logs } = await releaseLost(market, kept);
      const released = parseEventLogs({ abi: dockerContractAbi, logs, eventName: "Released" });
      const replicas = new Set(released.map(({ args }) => args.replica));
      taken += replicas.size;
      const { workspaceId, spec } = kept[0] as Placed;
      const dear = [...replicas].map((replica) => ({
        workspaceId,
        replica,
        nodeId: thief,
        start: true,
        spec,
      }));
      expect(refusalsOf(await assign(market, dear)).map(({ name }) => name)).to.deep.equal([]);
      kept = kept.filter(({ ref }) => !replicas.has(ref.replica));
      await time.increase(599);
    }
    expect(taken / placed.length).to.equal(0.3);
    for (const { ref } of placed) {
      const { nodeId } = await docker.read.assignmentOf([ref.workspaceId, ref.replica]);
      const [, , , price] = await market.escrow.read.leaseOf([ref.workspaceId, ref.replica]);
      expect(price).to.equal(nodeId === thief ? 1_100n : 1_000n);
    }
  });

  it("take a twentieth where that is more than the floor", async () => {
    const market = await load();
    const placed = await serveMany(market, 62);
    expect(reasonsIn(await releaseLost(market, placed))).to.have.length(3);
  });

  it("use up nothing of the limit with what does not serve", async () => {
    const market = await load();
    const { workspaceId, spec } = await publish(market, { resources: small }, { replicas: 6 });
    const items = [0, 1, 2, 3, 4, 5].map((replica) => ({
      workspaceId,
      replica,
      nodeId: 1,
      start: true,
      spec,
    }));
    await assign(market, items);
    const placed = items.map(({ replica }) => ({ spec, ref: { workspaceId, replica, lease: 1 } }));
    expect(reasonsIn(await releaseLost(market, placed))).to.have.length(6);
    expect((await market.docker.read.witnessOf([witness.address]))[2]).to.equal(0);
  });

  it("release nothing on a statement that is old, of a later time, or of a node that was heard of lately", async () => {
    const market = await load();
    const placed = await serve(market);
    const send = async (changes: (now: number) => Partial<LossStatement>) => {
      const now = await market.time.latest();
      const statement = await stateLoss(market, 1, changes(now));
      await market.time.setNextBlockTimestamp(now + 20);
      return releaseLost(market, [placed], [statement]);
    };
    expectRefused(await send((now) => ({ statedAt: now - 11 })), "LossStale", { nodeId: 1 });
    expectRefused(await send((now) => ({ statedAt: now + 51 })), "LossStale", { nodeId: 1 });
    expectRefused(await send((now) => ({ lastHeard: now + 11, statedAt: now + 11 })), "LossTooRecent", {
      nodeId: 1,
      silenceSeconds: 10,
    });
    expectRefused(await send((now) => ({ lastHeard: now + 1, statedAt: now })), "LossTooRecent");
    const receipt = await send((now) => ({ lastHeard: now + 10, statedAt: now + 50 }));
    expect(reasonsIn(receipt)).to.deep.equal([releaseReason.lost]);
    const [stated] = parseEventLogs({ abi: dockerContractAbi, logs: receipt.logs, eventName: "LossStated" });
    expect(stated?.args).to.include({ nodeId: 1, witness: witness.address });
  });

  it("release an exclusive lease only after its grace", async () => {
    const market = await load();
    const placed = await serve(market, { policy: 1 });
    expect(reasonsIn(await releaseLost(market, [placed]))).to.deep.equal([]);
    await market.time.increase(181);
    expectRefused(await releaseLost(market, [placed], []), "LossUnproven");
    expect(reasonsIn(await releaseLost(market, [placed]))).to.deep.equal([releaseReason.lost]);
    expect(await market.computeNode.read.freeOf([1])).to.deep.equal(nodeSpec.total);
  });

  it("are never one key", async () => {
    const { docker, people } = await load();
    await expectRevert(docker.write.setKeeper([witness.address, true]), "AccountHasOtherPower", {
      account: witness.address,
    });
    await expectRevert(docker.write.setWitness([people.keeper, true]), "AccountHasOtherPower", {
      account: people.keeper,
    });
    await docker.write.setWitness([witness.address, false]);
    await docker.write.setKeeper([witness.address, true]);
  });
});

describe("Attacks with a witness's key: a statement about a node that was present", () => {
  const slotSeconds = 60;
  const none = { encoding: 0, nodeCount: 0, bits: "0x" as Hex };

  /** A statement of six slots of silence that ends now, and a slot in the middle of it. */
  async function stated(market: PartnerFixture) {
    await market.time.increaseTo((Math.floor((await market.time.latest()) / slotSeconds) + 10) * slotSeconds);
    const now = await market.time.latest();
    const lastHeard = now - 6 * slotSeconds;
    const loss = await stateLoss(market, 1, { lastHeard, statedAt: now });
    return { loss, lastHeard, now, slot: BigInt(lastHeard / slotSeconds + 3) };
  }

  async function acknowledge(market: PartnerFixture, slot: bigint, nodeId = 1) {
    const ack = await signHeartbeats(keyOf("receipts"), market.deployment, slot, [1, 2]);
    const { root, signature } = ack;
    const dispute = { slot, nodeId, root, proof: ack.proofOf(nodeId) };
    await market.computeNode.write.disputeHeartbeats([[dispute], [signature]]);
  }

  const disprove = (
    { docker, people, mined }: PartnerFixture,
    loss: Awaited<ReturnType<typeof stateLoss>>,
    slot: bigint,
    committed = none,
  ) => mined(docker.write.disproveWitness([loss, slot, committed], { account: people.outsider }));

  it("disables the witness by a recorded receipt, by anyone, and its statements count no more", async () => {
    const market = await load();
    const placed = await serve(market);
    const { loss, lastHeard, slot } = await stated(market);
    await expectRevert(disprove(market, loss, slot), "PresenceUnproven", { slot, nodeId: 1 });
    await acknowledge(market, slot);
    const { logs } = await disprove(market, loss, slot);
    const [event] = parseEventLogs({ abi: dockerContractAbi, logs, eventName: "WitnessDisproved" });
    expect(event?.args).to.deep.equal({ witness: witness.address, nodeId: 1, slot, lastHeard });
    expect((await market.docker.read.witnessOf([witness.address]))[0]).to.equal(false);
    expectRefused(await releaseLost(market, [placed]), "LossUnsigned", { signer: witness.address });
    await expectRevert(disprove(market, loss, slot), "LossUnsigned", { signer: witness.address });
  });

  it("disables the witness by committed heartbeats, in both encodings, unless measurers found the node absent", async () => {
    const market = await load();
    const { computeNode, people, connection } = market;
    const { loss, slot } = await stated(market);
    const commit = (encoding: number, nodeCount: number, bits: Hex) =>
      computeNode.write.commitHeartbeats([slot, encoding, nodeCount, bits], { account: people.committer });
    const snapshot = await connection.networkHelpers.takeSnapshot();
    for (const [encoding, bits, absent] of [
      [0, "0x03", "0x02"],
      [1, "0x", "0x01"],
    ] as const) {
      await commit(encoding, 2, absent);
      const committed = { encoding, nodeCount: 2, bits: absent as Hex };
      await expectRevert(disprove(market, loss, slot, committed), "PresenceUnproven", { nodeId: 1 });
      await snapshot.restore();
      await commit(encoding, 2, bits);
      await expectRevert(disprove(market, loss, slot), "PresenceUnproven", { slot });
      await disprove(market, loss, slot, { encoding, nodeCount: 2, bits });
      await snapshot.restore();
    }
    await commit(0, 2, "0x03");
    await computeNode.write.setMeasure([people.keeper, true]);
    await computeNode.write.challengePresence([1, slot, slot], { account: people.keeper });
    const committed = { encoding: 0, nodeCount: 2, bits: "0x03" as Hex };
    await expectRevert(disprove(market, loss, slot, committed), "PresenceUnproven", { slot });
  });

  it("is not disproved by a slot within a slot of its limits, or by a statement that another signed", async () => {
    const market = await load();
    const { loss, lastHeard, now } = await stated(market);
    const last = BigInt(now / slotSeconds) - 1n;
    const first = BigInt(lastHeard / slotSeconds) + 1n;
    for (const slot of [first, last]) {
      await acknowledge(market, slot);
      await expectRevert(disprove(market, loss, slot), "SlotNotInSilence", {
        slot,
        lastHeard,
        statedAt: now,
      });
    }
    const forged = await stateLoss(market, 1, { lastHeard, statedAt: now }, keyOf("a thief"));
    await expectRevert(disprove(market, forged, first + 1n), "LossUnsigned");
    await acknowledge(market, first + 1n);
    await disprove(market, loss, first + 1n);
  });

  it("is not confused by bits that were not committed", async () => {
    const market = await load();
    const { loss, slot } = await stated(market);
    const bits = "0xff" as Hex;
    const call = disprove(market, loss, slot, { encoding: 0, nodeCount: 8, bits });
    await expectRevert(call, "PresenceUnproven", { slot });
  });
});
