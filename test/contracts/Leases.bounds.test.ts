import { escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { parseEther, parseEventLogs, type TransactionReceipt } from "viem";
import { load, small } from "./support/keepers.ts";
import { reasonsIn, releaseLost, releaseReason } from "./support/losses.ts";
import { marketFixture } from "./support/market.ts";
import {
  assign,
  authorize,
  deposit,
  leaseClock,
  loadPartner,
  type PartnerFixture,
  partner,
  place,
  publish,
  report,
  state,
} from "./support/workspaces.ts";

const rate = 1_000n;
const restRate = 100n;
const lock = 600n * rate;
const terms = { minSeconds: 600, lockFloor: 50_000n, rateFloor: 10n, startSeconds: 1_800, restSeconds: 120 };
const strict = () => marketFixture(terms);
/** A lock that outlasts the seconds that a lease can count. */
const lasting = () => marketFixture({ ...terms, lockFloor: 3_000_000_000n });

const lockSpent = 3;
const authorizationEnded = 2;

function endOf({ logs }: TransactionReceipt) {
  const [waited] = parseEventLogs({ abi: escrowAbi, logs, eventName: "WaitCharged" });
  const [closed] = parseEventLogs({ abi: escrowAbi, logs, eventName: "LeaseClosed" });
  return { amount: waited?.args.amount, waited: waited?.args.waited, reason: closed?.args.reason };
}

type Placed = Awaited<ReturnType<typeof place>>;

const remove = ({ docker, people, mined }: PartnerFixture, { ref }: Placed) =>
  mined(docker.write.requestDelete([[ref]], { account: people.delegate }));
const endLate = ({ docker, people, mined }: PartnerFixture, { ref, spec }: Placed) =>
  mined(docker.write.releaseEnded([[ref], [spec]], { account: people.outsider }));
const settle = ({ escrow, mined }: PartnerFixture, { ref }: Placed) => mined(escrow.write.settle([[ref]]));

/** A lease that waits for a second less, or just as long, as its lock pays for. */
async function waiting(market: PartnerFixture, seconds: number) {
  const placed = await place(market);
  const since = await market.time.latest();
  await report(market, placed, state.ready, 1);
  await market.time.setNextBlockTimestamp(since + seconds);
  return placed;
}

const outlast = Number(lock / restRate);

describe("Bounds of leases: a wait", () => {
  it("that the lock just outlasts leaves what is left of it, and one that spends it ends the lease", async () => {
    for (const end of [remove, endLate]) {
      const market = await loadPartner(strict);
      const { escrow } = market;
      const nearly = endOf(await end(market, await waiting(market, outlast - 1)));
      expect(nearly).to.include({ amount: lock - restRate, waited: outlast - 1 });
      expect(nearly.reason).to.equal(end === remove ? undefined : 0);
      await deposit(market, partner.address, lock);
      const spent = endOf(await end(market, await waiting(market, outlast)));
      expect(spent).to.deep.equal({ amount: lock, waited: outlast, reason: lockSpent });
      const spending = end === remove ? restRate : 0n;
      expect(await escrow.read.lockedOf([partner.address])).to.equal(spending);
      const [, , , remaining] = await escrow.read.authorizationOf([1n]);
      expect(remaining + spending).to.equal(parseEther("1") - 2n * lock + restRate);
    }
  });

  it("that is longer than its lock pays for costs the lock, also where the authorization ended", async () => {
    const market = await loadPartner(strict);
    const placed = await waiting(market, outlast + 5_000);
    expect(endOf(await remove(market, placed))).to.include({ amount: lock, reason: lockSpent });
    await deposit(market, partner.address, lock);
    const now = await market.time.latest();
    const authorizationId = await authorize(market, { nonce: 2n, expiry: now + outlast + 60 });
    const { workspaceId, spec } = await publish(market, { maxPricePerSecond: rate }, { authorizationId });
    await assign(market, [{ workspaceId, replica: 0, nodeId: 2, start: true, spec }]);
    await market.time.increaseTo(now + outlast + 90);
    const ref = { workspaceId, replica: 0, lease: 1 };
    const ended = endOf(await settle(market, { workspaceId, spec, ref, fence: "0x" }));
    expect(ended).to.include({ amount: lock, reason: lockSpent });
  });

  it("of no second costs nothing, where its authorization ends when it begins", async () => {
    const market = await loadPartner(strict);
    const expiry = (await market.time.latest()) + 100;
    const authorizationId = await authorize(market, { nonce: 2n, expiry });
    const { workspaceId, spec } = await publish(market, {}, { authorizationId });
    await market.time.setNextBlockTimestamp(expiry);
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    const ref = { workspaceId, replica: 0, lease: 1 };
    await market.time.increase(50);
    const ended = endOf(await settle(market, { workspaceId, spec, ref, fence: "0x" }));
    expect(ended).to.deep.equal({ amount: undefined, waited: undefined, reason: authorizationEnded });
    expect(await market.escrow.read.balanceOf([partner.address])).to.equal(1_000_000n);
    expect(await market.escrow.read.lockedOf([partner.address])).to.equal(0n);
  });

  it("of more seconds than a lease can count ends it, and frees what is left of the lock", async () => {
    const market = await loadPartner(lasting);
    const { escrow } = market;
    await deposit(market, partner.address, 10_000_000_000n);
    const counted = 2 ** 24 - 1;
    const most = await waiting(market, counted);
    const kept = endOf(await remove(market, most));
    expect(kept).to.deep.equal({ amount: BigInt(counted) * restRate, waited: counted, reason: undefined });
    expect((await escrow.read.leaseOf([most.workspaceId, 0]))[5]).to.equal(counted);
    await report(market, most, state.deleted, 2);
    const before = await escrow.read.balanceOf([partner.address]);
    const placed = await waiting(market, counted + 1);
    expect(endOf(await remove(market, placed))).to.include({ waited: counted + 1, reason: lockSpent });
    expect(await escrow.read.lockedOf([partner.address])).to.equal(0n);
    expect(before - (await escrow.read.balanceOf([partner.address]))).to.equal(
      BigInt(counted + 1) * restRate,
    );
  });

  it("is the keeper's only where the node reported something, unless its owner no longer wants the lease", async () => {
    const market = await load();
    const { docker, people, mined, time } = market;
    const keep = ({ ref }: Placed) => mined(docker.write.requestDelete([[ref]], { account: people.keeper }));
    const silent = await place(market, { resources: small });
    await time.increase(10);
    expect(endOf(await keep(silent)).waited).to.equal(undefined);
    const heard = await place(market, { resources: small });
    await report(market, heard, state.ready, 1);
    await time.increase(10);
    expect((endOf(await keep(heard)).waited ?? 0) >= 10).to.equal(true);
    const unwanted = await place(market, { resources: small });
    await docker.write.closeWorkspace([unwanted.workspaceId], { account: people.delegate });
    await time.increase(10);
    expect((endOf(await keep(unwanted)).waited ?? 0) >= 10).to.equal(true);
    const lost = await place(market, { resources: small });
    await report(market, lost, state.ready, 1);
    await time.increase(10);
    const receipt = await releaseLost(market, [lost]);
    expect(reasonsIn(receipt)).to.deep.equal([releaseReason.lost]);
    expect(endOf(receipt).waited).to.equal(undefined);
  });
});

describe("Bounds of leases: authorizations that end", () => {
  it("end a lease that first ran after them, and it owes nothing", async () => {
    const market = await loadPartner(strict);
    const { escrow, time } = market;
    const expiry = (await time.latest()) + 100;
    const authorizationId = await authorize(market, { nonce: 2n, expiry });
    const { workspaceId, spec } = await publish(market, {}, { authorizationId });
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
    const placed = { workspaceId, spec, fence, ref: { workspaceId, replica: 0, lease: 1 } };
    await time.increase(200);
    await report(market, placed, state.running, 1);
    await time.increase(200);
    expect(endOf(await settle(market, placed)).reason).to.equal(authorizationEnded);
    expect(await escrow.read.totalEarnedBy([1])).to.equal(0n);
    expect(await escrow.read.balanceOf([partner.address])).to.equal(1_000_000n);
  });

  it("end a lease in the report that its replica is deleted", async () => {
    const market = await loadPartner(strict);
    const { escrow, time, docker, people } = market;
    const expiry = (await time.latest()) + 100;
    const authorizationId = await authorize(market, { nonce: 2n, expiry });
    const { workspaceId, spec } = await publish(market, {}, { authorizationId });
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    const { fence } = await docker.read.assignmentOf([workspaceId, 0]);
    const placed = { workspaceId, spec, fence, ref: { workspaceId, replica: 0, lease: 1 } };
    await report(market, placed, state.running, 1);
    await time.setNextBlockTimestamp(expiry - 10);
    await docker.write.requestDelete([[placed.ref]], { account: people.delegate });
    await time.setNextBlockTimestamp(expiry + 1);
    const receipt = await report(market, placed, state.deleted, 2);
    expect(endOf(receipt).reason).to.equal(authorizationEnded);
    expect((await escrow.read.leaseOf([workspaceId, 0]))[6]).to.equal(leaseClock.closed);
  });
});
