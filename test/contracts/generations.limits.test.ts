import { expect } from "chai";
import { replace, retire } from "./support/generations.ts";
import { addThief, load, type Placed, serve, small } from "./support/keepers.ts";
import { reasonsIn, releaseLost, releaseReason, stateLoss } from "./support/losses.ts";
import { markOffline } from "./support/presence.ts";
import { expectRevert, refusalsOf } from "./support/reverts.ts";
import { goToDay, today } from "./support/uptime.ts";
import {
  assign,
  authorize,
  deposit,
  type PartnerFixture,
  partner,
  place,
  publish,
  report,
  state,
} from "./support/workspaces.ts";

const rate = 1_000n;

/** Replicas that run on node 1 under the market's own authorization. */
async function serveOn(market: PartnerFixture, count: number, authorizationId?: bigint): Promise<Placed[]> {
  const placed: Placed[] = [];
  for (let number = 0; number < count; number += 1) {
    if (authorizationId === undefined) {
      placed.push(await serve(market, { resources: small }));
      continue;
    }
    const { workspaceId, spec } = await publish(market, { resources: small }, { authorizationId });
    await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
    const one = { workspaceId, spec, ref: { workspaceId, replica: 0, lease: 1 }, fence };
    await report(market, one, state.running, 1);
    placed.push(one);
  }
  return placed;
}

/** A market whose predecessor is retired with leases that run, and which has as many of its own. */
async function replaced(count: number) {
  const old = await load();
  const before = await serveOn(old, count);
  const market = await replace(old, "market");
  await retire(old, "market");
  await deposit(market, partner.address, 10n ** 18n);
  const authorizationId = await authorize(market);
  return { old, before, market, authorizationId, own: await serveOn(market, count, authorizationId) };
}

/** The limits that refused the other items. */
const limitsIn = (receipt: Parameters<typeof refusalsOf>[0]) =>
  refusalsOf(receipt).map(({ name, args }) => (name === "LossLimitReached" ? args.limit : name));

describe("Generations of the market: limits and fees", function () {
  this.timeout(180_000);

  it("do not give the keys of both the floor of a small market: the retired one loses a twentieth, rounded up", async () => {
    const { old, before, market, own } = await replaced(3);
    const receipt = await releaseLost(old, before, [await stateLoss(old)]);
    expect(reasonsIn(receipt)).to.deep.equal([releaseReason.lost]);
    expect(limitsIn(receipt)).to.deep.equal([1n, 1n]);
    const taken = await releaseLost(market, own, [await stateLoss(market)]);
    expect(reasonsIn(taken)).to.deep.equal([releaseReason.lost, releaseReason.lost]);
    expect(limitsIn(taken)).to.deep.equal([2n]);
    // What is offline is released in both.
    await markOffline(market, [1]);
    expect(reasonsIn(await releaseLost(old, before.slice(1), []))).to.have.length(2);
    expect(reasonsIn(await releaseLost(market, own.slice(2), []))).to.have.length(1);
  });

  it("take a fee of each lease once, in the escrow that was paid", async () => {
    const { old, before, market, own, authorizationId } = await replaced(1);
    const day = (await today(market)) + 1n;
    await goToDay(market, day, 100);
    const paid: bigint[] = [];
    for (const [one, leases] of [
      [old, before],
      [market, own],
    ] as const) {
      await one.escrow.write.settle([leases.map(({ ref }) => ref)]);
      paid.push(await one.escrow.read.totalSpentBy([partner.address]));
    }
    expect(authorizationId > 2n ** 40n).to.equal(true);
    await goToDay(market, day + 4n, 100);
    const supply = await market.token.read.totalSupply();
    const fees: bigint[] = [];
    for (const one of [old, market]) {
      const [amount, fee] = await one.escrow.read.collectableBy([1]);
      const spent = paid[fees.length] ?? 0n;
      expect(amount + fee).to.equal(spent);
      const basisPoints = BigInt(await one.escrow.read.feeBasisPoints());
      expect(fee).to.equal((spent * basisPoints + 9_999n) / 10_000n);
      await one.escrow.write.collect([[1]]);
      fees.push(fee);
      expect(await one.escrow.read.collectableBy([1])).to.deep.equal([0n, 0n]);
    }
    const [first = 0n, second = 0n] = fees;
    expect(first > 0n && second > 0n).to.equal(true);
    expect(await market.token.read.totalSupply()).to.equal(supply - first - second);
  });

  it("leave the keys of the retired one nothing to open: no lease, no deposit, no dearer replacement", async () => {
    const { old, before } = await replaced(1);
    const [placed] = before;
    if (placed === undefined) throw new Error("There is no lease.");
    const thief = await addThief(old, 100_000n);
    await report(old, placed, state.failed, 2);
    await releaseLost(old, [placed], []);
    const { workspaceId, spec } = placed;
    const item = { workspaceId, replica: 0, nodeId: thief, start: true, spec };
    for (const account of [old.people.keeper, old.people.delegate]) {
      await expectRevert(assign(old, [item], account), "FunctionPaused");
    }
    await expectRevert(publish(old), "FunctionPaused");
    await expectRevert(deposit(old, partner.address, rate), "FunctionPaused");
    await expectRevert(place(old), "FunctionPaused");
  });
});
