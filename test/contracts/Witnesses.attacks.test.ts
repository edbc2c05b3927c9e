import { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { LossStatement } from "@ngpu/protocol/lossStatement";
import { expect } from "chai";
import { type Hex, parseEventLogs } from "viem";
import { addThief, leave, load, type Placed, serve, small } from "./support/keepers.ts";
import { reasonsIn, releaseLost, releaseReason, stateLoss, witness } from "./support/losses.ts";
import { keyOf } from "./support/market.ts";
import { nodeSpec } from "./support/nodes.ts";
import { commitCosigned, disputeOf } from "./support/presence.ts";
import { expectRefused, expectRevert, refusalsOf } from "./support/reverts.ts";
import { assign, type PartnerFixture, publish, report, state } from "./support/workspaces.ts";

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
    const dispute = await disputeOf(market, slot, { nodeIds: [nodeId] });
    await market.computeNode.write.disputeHeartbeats([[dispute]]);
  }

  const disprove = (
    { docker, people, mined }: PartnerFixture,
    loss: Awaited<ReturnType<typeof stateLoss>>,
    slot: bigint,
    committed = none,
  ) => mined(docker.write.disproveWitness([loss, slot, committed], { account: people.outsider }));

  /** Commits node 1's bit, or another's alone; returns the slot as it was committed. */
  async function commit(market: PartnerFixture, slot: bigint, bits: Hex = "0x03", encoding = 0) {
    const nodeCount = 2;
    await commitCosigned(market, slot, {
      encoding: encoding === 0 ? "bitmap" : "absentees",
      nodeCount,
      bits,
    });
    return { encoding, nodeCount, bits };
  }

  it("disables the witness by a committed heartbeat and its acknowledgement, by anyone, and its statements count no more", async () => {
    const market = await load();
    const placed = await serve(market);
    const { loss, lastHeard, slot } = await stated(market);
    const committed = await commit(market, slot);
    await acknowledge(market, slot);
    const { logs } = await disprove(market, loss, slot, committed);
    const [event] = parseEventLogs({ abi: dockerContractAbi, logs, eventName: "WitnessDisproved" });
    expect(event?.args).to.deep.equal({ witness: witness.address, nodeId: 1, slot, lastHeard });
    expect((await market.docker.read.witnessOf([witness.address]))[0]).to.equal(false);
    expectRefused(await releaseLost(market, [placed]), "LossUnsigned", { signer: witness.address });
    await expectRevert(disprove(market, loss, slot, committed), "LossUnsigned", { signer: witness.address });
  });

  it("keeps its power against a committer's word alone, and against an acknowledger's alone", async () => {
    const market = await load();
    const { loss, slot } = await stated(market);
    const { networkHelpers } = market.connection;
    const snapshot = await networkHelpers.takeSnapshot();
    const committed = await commit(market, slot);
    await expectRevert(disprove(market, loss, slot, committed), "PresenceUnproven", { slot, nodeId: 1 });
    await acknowledge(market, slot, 2);
    await expectRevert(disprove(market, loss, slot, committed), "PresenceUnproven", { slot, nodeId: 1 });
    await snapshot.restore();
    await acknowledge(market, slot);
    await expectRevert(disprove(market, loss, slot, committed), "PresenceUnproven", { slot, nodeId: 1 });
    const without = await commit(market, slot, "0x02");
    await expectRevert(disprove(market, loss, slot, without), "PresenceUnproven", { slot, nodeId: 1 });
    expect((await market.docker.read.witnessOf([witness.address]))[0]).to.equal(true);
  });

  it("disables the witness by committed heartbeats in both encodings, unless measurers found the node absent", async () => {
    const market = await load();
    const { computeNode, people, connection } = market;
    const { loss, slot } = await stated(market);
    await acknowledge(market, slot);
    const snapshot = await connection.networkHelpers.takeSnapshot();
    for (const [encoding, bits, absent] of [
      [0, "0x03", "0x02"],
      [1, "0x", "0x01"],
    ] as const) {
      const left = await commit(market, slot, absent, encoding);
      await expectRevert(disprove(market, loss, slot, left), "PresenceUnproven", { nodeId: 1 });
      await snapshot.restore();
      const committed = await commit(market, slot, bits, encoding);
      await expectRevert(disprove(market, loss, slot), "PresenceUnproven", { slot });
      await disprove(market, loss, slot, committed);
      await snapshot.restore();
    }
    const committed = await commit(market, slot);
    await computeNode.write.setMeasure([people.keeper, true]);
    await computeNode.write.challengePresence([1, slot, slot], { account: people.keeper });
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
    await disprove(market, loss, first + 1n, await commit(market, first + 1n));
  });

  it("is not confused by bits that were not committed", async () => {
    const market = await load();
    const { loss, slot } = await stated(market);
    await acknowledge(market, slot);
    const bits = "0xff" as Hex;
    const call = disprove(market, loss, slot, { encoding: 0, nodeCount: 8, bits });
    await expectRevert(call, "PresenceUnproven", { slot });
  });
});
