import { dockerContractAbi, escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { parseEther, parseEventLogs } from "viem";
import { leave } from "./support/keepers.ts";
import { marketFixture } from "./support/market.ts";
import { nodeSpec } from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf } from "./support/reverts.ts";
import { commitDowntime, goToDay, today } from "./support/uptime.ts";
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
const strict = () => marketFixture({ ...terms, refundDays: 2 });

/** Nodes at 1,000 a second, and a partner with a deposit of 1,000,000 that signs its own transactions. */
async function loadStrict() {
  const market = await loadPartner(strict);
  const { networkHelpers } = market.connection;
  await networkHelpers.impersonateAccount(partner.address);
  await networkHelpers.setBalance(partner.address, parseEther("1"));
  return market;
}

const own = { account: partner.address };
type Placed = Awaited<ReturnType<typeof place>>;

const clockOf = async ({ escrow }: PartnerFixture, { workspaceId }: Pick<Placed, "workspaceId">) =>
  (await escrow.read.leaseOf([workspaceId, 0]))[6];

/** Ends a lease as a stranger; returns the reason of its release. */
async function endAs(market: PartnerFixture, { ref, spec }: Pick<Placed, "ref" | "spec">) {
  const { docker, people, mined } = market;
  const receipt = await mined(docker.write.releaseEnded([[ref], [spec]], { account: people.outsider }));
  const [released] = parseEventLogs({ abi: dockerContractAbi, logs: receipt.logs, eventName: "Released" });
  return { receipt, reason: released?.args.reason };
}

/** What was burned for the wait of a lease. */
const chargedIn = (logs: Parameters<typeof parseEventLogs>[0]["logs"]) =>
  parseEventLogs({ abi: escrowAbi, logs, eventName: "WaitCharged" })[0]?.args as
    | { amount: bigint; waited: number; nodeId: number; lease: number }
    | undefined;

const reasons = { deleted: 0, unfunded: 2, late: 5, silent: 6 };

async function settledBy(market: PartnerFixture, { ref }: Pick<Placed, "ref">) {
  const receipt = await market.mined(market.escrow.write.settle([[ref]]));
  return parseEventLogs({ abi: escrowAbi, logs: receipt.logs, eventName: "Settled" })[0]?.args;
}

async function stop(market: PartnerFixture, { workspaceId, ref }: Placed) {
  await market.docker.write.stopWorkspace([workspaceId, [ref]], { account: market.people.delegate });
}

describe("Attacks on leases: a squatter", () => {
  it("cannot withdraw the lock of a lease, and pays a tenth for capacity that rests, until the lock ends it", async () => {
    const market = await loadStrict();
    const { escrow, people, time, computeNode } = market;
    const placed = await place(market);
    await expectRevert(escrow.write.withdraw([400_001n, people.outsider], own), "EscrowBalanceTooLow", {
      available: 1_000_000n - lock,
    });
    await escrow.write.withdraw([390_000n, people.outsider], own);
    await report(market, placed, state.running, 1);
    await stop(market, placed);
    await report(market, placed, state.stopped, 2);
    const earned = await escrow.read.earnedBy([1]);
    await time.increase(1_000);
    const settled = await settledBy(market, placed);
    expect(settled?.amount).to.equal(settled?.fromLock);
    expect((settled?.amount ?? 0n) >= 1_000n * restRate).to.equal(true);
    expectRefused((await endAs(market, placed)).receipt, "NotReleasable", { lease: 1 });
    await time.increase(5_000);
    expect((await endAs(market, placed)).reason).to.equal(reasons.unfunded);
    expect(await escrow.read.earnedBy([1])).to.equal(earned + lock);
    expect(await computeNode.read.freeOf([1])).to.deep.equal(nodeSpec.total);
    expect(await escrow.read.lockedOf([partner.address])).to.equal(0n);
  });

  it("that never lets its lease run loses it at the deadline, to anyone's call, and pays nothing", async () => {
    const market = await loadStrict();
    const { escrow, time } = market;
    const placed = await place(market);
    await stop(market, placed);
    expect(await clockOf(market, placed)).to.equal(leaseClock.new);
    await time.increase(1_700);
    expectRefused((await endAs(market, placed)).receipt, "NotReleasable", { lease: 1 });
    await time.increase(101);
    expect((await endAs(market, placed)).reason).to.equal(reasons.late);
    expect(await escrow.read.balanceOf([partner.address])).to.equal(1_000_000n);
    expect(await escrow.read.withdrawableOf([partner.address])).to.equal(1_000_000n);
  });

  it("pays a tenth for capacity that it held without running, also for a minute, and the node gets none of it", async () => {
    const market = await loadStrict();
    const { escrow, token, docker, time, computeNode } = market;
    const supply = await token.read.totalSupply();
    let burned = 0n;
    for (const held of [60, 1_700]) {
      const placed = await place(market);
      const since = await time.latest();
      await time.setNextBlockTimestamp(since + held);
      const receipt = await market.mined(
        docker.write.requestDelete([[placed.ref]], { account: market.people.delegate }),
      );
      const amount = BigInt(held) * restRate;
      expect(chargedIn(receipt.logs)).to.deep.include({ amount, waited: held, nodeId: 1, lease: 1 });
      burned += amount;
      await report(market, placed, state.deleted, 1);
    }
    expect(await escrow.read.balanceOf([partner.address])).to.equal(1_000_000n - burned);
    expect(await escrow.read.lockedOf([partner.address])).to.equal(0n);
    expect(await token.read.totalSupply()).to.equal(supply - burned);
    expect(await escrow.read.totalEarnedBy([1])).to.equal(0n);
    expect(await escrow.read.totalSpentBy([partner.address])).to.equal(0n);
    expect(await computeNode.read.freeOf([1])).to.deep.equal(nodeSpec.total);
  });

  it("pays for an image that fails as for one that it takes away, whoever ends the lease", async () => {
    const market = await loadStrict();
    const { time, docker, people } = market;
    const failing = await place(market);
    const since = await time.latest();
    await report(market, failing, state.failed, 1);
    await time.setNextBlockTimestamp(since + 100);
    const receipt = await market.mined(
      docker.write.releaseLost([[failing.ref], [failing.spec], []], { account: people.keeper }),
    );
    expect(chargedIn(receipt.logs)).to.deep.include({ amount: 100n * restRate, waited: 100 });
    const late = await place(market);
    await report(market, late, state.ready, 1);
    await time.increase(1_801);
    const ended = await endAs(market, late);
    expect(ended.reason).to.equal(reasons.late);
    expect((chargedIn(ended.receipt.logs)?.waited ?? 0) > 1_800).to.equal(true);
  });

  it("pays nothing where its node failed: it never reported, or left", async () => {
    const market = await loadStrict();
    const { escrow, docker, people } = market;
    const silent = await place(market);
    await market.time.increase(1_801);
    const ended = await endAs(market, silent);
    expect([ended.reason, chargedIn(ended.receipt.logs)]).to.deep.equal([reasons.late, undefined]);
    const left = await place(market);
    await report(market, left, state.ready, 1);
    await leave(market);
    const receipt = await market.mined(
      docker.write.requestDelete([[left.ref]], { account: people.delegate }),
    );
    expect(chargedIn(receipt.logs)).to.equal(undefined);
    expect(await escrow.read.balanceOf([partner.address])).to.equal(1_000_000n);
  });

  it("pays for each wait when it stops and starts a replica that does not run, until the lock ends the lease", async () => {
    const market = await loadStrict();
    const { escrow, time, docker, people } = market;
    const placed = await place(market);
    const start = () =>
      docker.write.startWorkspace([placed.workspaceId, [placed.ref]], { account: people.delegate });
    await report(market, placed, state.running, 1);
    await report(market, placed, state.failed, 2);
    const balance = await escrow.read.balanceOf([partner.address]);
    const earned = await escrow.read.totalEarnedBy([1]);
    let waited = 0;
    while ((await clockOf(market, placed)) === leaseClock.waiting) {
      const since = Number((await escrow.read.leaseOf([placed.workspaceId, 0]))[4]);
      await time.setNextBlockTimestamp(since + 1_700);
      await stop(market, placed);
      waited += 1_700;
      if ((await clockOf(market, placed)) === leaseClock.closed) break;
      expect(await clockOf(market, placed)).to.equal(leaseClock.resting);
      await start();
    }
    expect(waited).to.equal(4 * 1_700);
    expect(await escrow.read.lockedOf([partner.address])).to.equal(0n);
    const spent = balance - (await escrow.read.balanceOf([partner.address]));
    expect(spent).to.equal(lock);
    const rested = (await escrow.read.totalEarnedBy([1])) - earned;
    expect(rested <= 3n * 2n * restRate).to.equal(true);
    expect((await endAs(market, placed)).reason).to.equal(reasons.unfunded);
  });

  it("pays for a wait that its authorization's end ends", async () => {
    const market = await loadStrict();
    const { escrow, time } = market;
    const placed = await place(market);
    const since = await time.latest();
    await time.setNextBlockTimestamp(since + 500);
    await escrow.write.revoke([1n, true], own);
    await time.increase(1_000);
    const { receipt, reason } = await endAs(market, placed);
    expect(reason).to.equal(reasons.unfunded);
    expect(chargedIn(receipt.logs)).to.deep.include({ amount: 500n * restRate, waited: 500 });
    expect(await escrow.read.lockedOf([partner.address])).to.equal(0n);
    expect(await escrow.read.balanceOf([partner.address])).to.equal(1_000_000n - 500n * restRate);
  });

  it("cannot hold capacity by a grace of more than a day", async () => {
    const market = await loadStrict();
    await expectRevert(publish(market, { policy: 1, graceSeconds: 86_401 }), "WorkspaceSpecInvalid");
  });

  it("cannot open leases at a price that pays for nothing", async () => {
    const market = await loadStrict();
    const { docker, escrow, connection } = market;
    await connection.networkHelpers.impersonateAccount(docker.address);
    await connection.networkHelpers.setBalance(docker.address, parseEther("1"));
    const ref = { workspaceId: 9n, replica: 0, lease: 1 };
    const open = (price: bigint) =>
      escrow.write.open([1n, ref, 1, price, `0x${"0".repeat(64)}`], { account: docker.address });
    await expectRevert(open(9n), "LeaseRateTooLow", { rate: 9n, floor: 10n });
    await open(10n);
    expect(await escrow.read.lockedOf([partner.address])).to.equal(50_000n);
    expect(await escrow.read.lockOf([10n])).to.equal(50_000n);
    expect((await escrow.read.terms()).startSeconds).to.equal(1_800);
  });
});

describe("Attacks on leases: an overcommitter", () => {
  it("cannot open more leases than its deposit locks, so each node is paid for the least term", async () => {
    const market = await loadStrict();
    const { escrow, time, people } = market;
    const first = await place(market);
    const { workspaceId, spec } = await publish(market);
    const second = { workspaceId, replica: 0, nodeId: 2, start: true, spec };
    expectRefused(await assign(market, [second]), "EscrowBalanceTooLow", {
      wanted: lock,
      available: 400_000n,
    });
    await deposit(market, partner.address, 200_000n);
    expect(refusalsOf(await assign(market, [second]))).to.deep.equal([]);
    await expectRevert(escrow.write.withdraw([1n, people.outsider], own), "EscrowBalanceTooLow");
    const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
    const other = { ref: { workspaceId, replica: 0, lease: 1 }, fence };
    await report(market, first, state.running, 1);
    await report(market, other, state.running, 1, {}, market.nodes.second.key);
    await time.increase(10_000);
    for (const one of [first, other]) {
      expect(await settledBy(market, one)).to.include({ amount: lock, fromLock: lock });
    }
    expect([await escrow.read.earnedBy([1]), await escrow.read.earnedBy([2])]).to.deep.equal([lock, lock]);
  });
});

describe("Attacks on leases: a silent node", () => {
  it("is paid for restSeconds after an order to stop, and then a tenth, whether it reports or not", async () => {
    const market = await loadStrict();
    const { escrow, time } = market;
    await deposit(market, partner.address, parseEther("1"));
    const placed = await place(market);
    await report(market, placed, state.running, 1);
    const since = await time.latest();
    await stop(market, placed);
    const ordered = await time.latest();
    expect(await clockOf(market, placed)).to.equal(leaseClock.stopping);
    await time.setNextBlockTimestamp(ordered + 3_120);
    await settledBy(market, placed);
    expect(await clockOf(market, placed)).to.equal(leaseClock.resting);
    const full = rate * BigInt(ordered - since + 120);
    expect(await escrow.read.earnedBy([1])).to.equal(full + 3_000n * restRate);
  });

  it("is paid for restSeconds after an order to delete, and then loses the lease to anyone's call", async () => {
    const market = await loadStrict();
    const { docker, escrow, time, people } = market;
    await deposit(market, partner.address, parseEther("1"));
    const placed = await place(market);
    await report(market, placed, state.running, 1);
    const since = await time.latest();
    await docker.write.requestDelete([[placed.ref]], { account: people.delegate });
    const ordered = await time.latest();
    expectRefused((await endAs(market, placed)).receipt, "NotReleasable", { lease: 1 });
    await time.increase(30 * 86_400);
    expect((await endAs(market, placed)).reason).to.equal(reasons.silent);
    expect(await escrow.read.totalEarnedBy([1])).to.equal(rate * BigInt(ordered - since + 120));
  });

  it("that never ran is paid nothing, and one that stopped by itself is not paid until it runs again", async () => {
    const market = await loadStrict();
    const { escrow, time } = market;
    const placed = await place(market);
    await time.increase(600);
    await report(market, placed, state.failed, 1);
    expect(await escrow.read.totalEarnedBy([1])).to.equal(0n);
    await report(market, placed, state.running, 2);
    await report(market, placed, state.failed, 3);
    expect(await clockOf(market, placed)).to.equal(leaseClock.waiting);
    const earned = await escrow.read.totalEarnedBy([1]);
    await time.increase(1_801);
    expect((await endAs(market, placed)).reason).to.equal(reasons.late);
    expect(await escrow.read.totalEarnedBy([1])).to.equal(earned);
  });

  it("takes no more for a start that follows a stop than the order allows", async () => {
    const market = await loadStrict();
    const { docker, time, people } = market;
    const placed = await place(market);
    const start = () =>
      docker.write.startWorkspace([placed.workspaceId, [placed.ref]], { account: people.delegate });
    await report(market, placed, state.running, 1);
    await stop(market, placed);
    await start();
    expect(await clockOf(market, placed)).to.equal(leaseClock.running);
    await stop(market, placed);
    await time.increase(200);
    await start();
    expect(await clockOf(market, placed)).to.equal(leaseClock.running);
    await stop(market, placed);
    await report(market, placed, state.stopped, 2);
    await start();
    expect(await clockOf(market, placed)).to.equal(leaseClock.waiting);
  });

  it("does not keep an exclusive lease beyond its grace", async () => {
    const market = await loadStrict();
    const placed = await place(market, { policy: 1 });
    await market.time.increase(1_801);
    expect((await endAs(market, placed)).reason).to.equal(undefined);
    await market.time.increase(181);
    expect((await endAs(market, placed)).reason).to.equal(reasons.late);
  });
});

describe("Attacks on leases: a node that raises its price", () => {
  it("is refused at more than the price that it was chosen at", async () => {
    const market = await loadStrict();
    const { workspaceId, spec } = await publish(market, { maxPricePerSecond: 5_000n });
    const item = { workspaceId, replica: 0, nodeId: 1, start: true, spec };
    const refused = await assign(market, [{ ...item, pricePerSecond: 999n }]);
    expectRefused(refused, "PriceAboveLimit", { price: rate, limit: 999n });
    const receipt = await assign(market, [{ ...item, pricePerSecond: rate }]);
    const [assigned] = parseEventLogs({ abi: dockerContractAbi, logs: receipt.logs, eventName: "Assigned" });
    expect(assigned?.args).to.include({ pricePerSecond: rate, decidedAt: 1n });
  });

  it("cannot be hidden: the chain logs the block, the place, the price and the exclusions of each choice", async () => {
    const market = await loadStrict();
    const { workspaceId, spec } = await publish(market, { maxPricePerSecond: 5_000n });
    const choice = { decidedAt: 2n ** 64n - 1n, position: 65_535, excluded: "0x0000000200000003" } as const;
    const receipt = await assign(market, [
      { workspaceId, replica: 0, nodeId: 1, start: true, spec, ...choice },
    ]);
    const [assigned] = parseEventLogs({ abi: dockerContractAbi, logs: receipt.logs, eventName: "Assigned" });
    expect(assigned?.args).to.include({ nodeId: 1, pricePerSecond: rate, ...choice });
  });
});

describe("Attacks on leases: a lying root", () => {
  async function ranAndRested(market: PartnerFixture) {
    const day = (await today(market)) + 1n;
    await goToDay(market, day, 100);
    const placed = await place(market);
    await report(market, placed, state.running, 1);
    await market.time.increase(9);
    await stop(market, placed);
    await report(market, placed, state.stopped, 2);
    const paid = await market.escrow.read.totalSpentBy([partner.address]);
    const item = {
      day,
      workspaceId: placed.workspaceId,
      replica: 0,
      lease: 1,
      nodeId: 1,
      authorizationId: 1n,
    };
    return { day, placed, paid, item: { ...item, rate, downSeconds: 20_000 } };
  }
  const refund = (market: PartnerFixture, { items, proofs }: Awaited<ReturnType<typeof commitDowntime>>) =>
    market.mined(market.escrow.write.refundDowntime([items, proofs], { account: market.people.outsider }));

  it("gives a lease back at most what it paid that node that day, and nothing of others' payments", async () => {
    const market = await loadStrict();
    const { escrow } = market;
    await deposit(market, partner.address, parseEther("1"));
    const busy = await place(market);
    await report(market, busy, state.running, 1);
    const { day, placed, item } = await ranAndRested(market);
    await goToDay(market, day + 1n, 0);
    await escrow.write.settle([[busy.ref, placed.ref]]);
    const [paid] = await escrow.read.paidOn([day, placed.ref, 1, 1n]);
    const proven = await commitDowntime(market, day, [item]);
    const receipt = await refund(market, proven);
    const [event] = parseEventLogs({ abi: escrowAbi, eventName: "Refunded", logs: receipt.logs });
    expect(event?.args.amount).to.equal(paid);
    expect(paid < 20_000n * rate).to.equal(true);
    expectRefused(await refund(market, proven), "DowntimeRefunded", { day, lease: 1 });
  });

  it("of a missed day is still refunded for refundDays, from earnings that are held that long", async () => {
    const market = await loadStrict();
    const { escrow } = market;
    const { day, item } = await ranAndRested(market);
    const proven = await commitDowntime(market, day, [{ ...item, downSeconds: 3 }]);
    await goToDay(market, day + 2n, 80_000);
    expect(await escrow.read.collectableBy([1])).to.deep.equal([0n, 0n]);
    const receipt = await refund(market, proven);
    const [event] = parseEventLogs({ abi: escrowAbi, eventName: "Refunded", logs: receipt.logs });
    expect(event?.args.amount).to.equal(3n * rate);
    await goToDay(market, day + 3n, 0);
    expectRefused(await refund(market, proven), "RefundWindowClosed", {
      day,
      today: day + 3n,
      refundDays: 2,
    });
  });
});

describe("Attacks on authorizations", () => {
  it("end with what was opened under them when their owner wants it", async () => {
    const market = await loadStrict();
    const { escrow, time } = market;
    const placed = await place(market);
    await report(market, placed, state.running, 1);
    const since = await time.latest();
    await escrow.write.revoke([1n, false], own);
    await escrow.write.revoke([1n, true], own);
    const revoked = await time.latest();
    await expectRevert(escrow.write.revoke([1n, true], own), "AuthorizationIsRevoked");
    await time.increase(1_000);
    expect((await endAs(market, placed)).reason).to.equal(reasons.unfunded);
    expect(await escrow.read.totalEarnedBy([1])).to.equal(rate * BigInt(revoked - since));
    expect(await escrow.read.lockedOf([partner.address])).to.equal(0n);
  });

  it("spend no more than their daily limit, whatever they opened", async () => {
    const market = await loadStrict();
    const authorizationId = await authorize(market, { nonce: 2n, daily: 86_400n * rate });
    await deposit(market, partner.address, parseEther("1"));
    const { workspaceId, spec } = await publish(market, {}, { authorizationId });
    const item = (replica: number) => ({ workspaceId, replica, nodeId: 1 + replica, start: true, spec });
    expect(refusalsOf(await assign(market, [item(0)]))).to.deep.equal([]);
    expectRefused(await assign(market, [item(1)]), "AuthorizationDayExceeded", {
      wanted: 2n * 86_400n * rate,
      daily: 86_400n * rate,
    });
  });

  it("that nobody has relayed are cancelled by their owner, once", async () => {
    const market = await loadStrict();
    const { escrow } = market;
    await escrow.write.cancelAuthorization([7n], own);
    await expectRevert(authorize(market, { nonce: 7n }), "NonceUsed", { signer: partner.address, nonce: 7n });
    await expectRevert(escrow.write.cancelAuthorization([7n], own), "NonceUsed");
    await authorize(market, { nonce: 8n });
  });
});
