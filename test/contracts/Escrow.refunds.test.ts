import { escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { parseEther, parseEventLogs } from "viem";
import { addNodes } from "./support/nodes.ts";
import { expectRefused, refusalsOf } from "./support/reverts.ts";
import { commitDowntime, goToDay, today } from "./support/uptime.ts";
import {
  assign,
  authorize,
  deposit,
  loadPartner,
  type PartnerFixture,
  partner,
  place,
  publish,
  report,
  state,
} from "./support/workspaces.ts";

const rate = 1_000n;
const dayOf = 86_400n;

/** A workspace that runs on node 1 from the middle of a day on, at a high rate. */
async function running() {
  const market = await loadPartner();
  await deposit(market, partner.address, parseEther("1"));
  const day = (await today(market)) + 1n;
  await goToDay(market, day, 43_000);
  const placed = await place(market);
  await report(market, placed, state.running, 1);
  return { market, placed, day, since: BigInt(await market.time.latest()) };
}

type Running = Awaited<ReturnType<typeof running>>;

function downtime({ placed, day }: Running, downSeconds: number, changes = {}) {
  return {
    day,
    workspaceId: placed.workspaceId,
    replica: 0,
    lease: 1,
    nodeId: 1,
    authorizationId: 1n,
    rate,
    downSeconds,
    ...changes,
  };
}

const refund = (market: PartnerFixture, { items, proofs }: Awaited<ReturnType<typeof commitDowntime>>) =>
  market.mined(market.escrow.write.refundDowntime([items, proofs], { account: market.people.outsider }));

describe("Escrow: nodes' earnings", () => {
  it("is held for the day and the next, then collected less the fee, which is burned", async () => {
    const { market, placed, day, since } = await running();
    const { escrow, token, nodes, deployment } = market;
    const supply = await token.read.totalSupply();
    const firstDay = rate * ((day + 1n) * dayOf - since);
    await goToDay(market, day + 1n, 100);
    await escrow.write.settle([[placed.ref]]);
    await escrow.write.collect([[1]]);
    expect(await escrow.read.collectableBy([1])).to.deep.equal([0n, 0n]);
    await goToDay(market, day + 2n, 0);
    const fee = firstDay / 100n + (firstDay % 100n === 0n ? 0n : 1n);
    expect(await escrow.read.collectableBy([1])).to.deep.equal([firstDay - fee, fee]);
    const receipt = await market.mined(escrow.write.collect([[1, 1, 2]]));
    const collected = parseEventLogs({ abi: escrowAbi, eventName: "Collected", logs: receipt.logs });
    expect(collected.map(({ args }) => args)).to.deep.equal([
      { nodeId: 1, to: nodes.first.key.address, amount: firstDay - fee, fee },
    ]);
    expect(await token.read.balanceOf([nodes.first.key.address])).to.equal(firstDay - fee);
    expect(await token.read.totalSupply()).to.equal(supply - fee);
    expect(deployment.parameters.feeBasisPoints).to.equal(100);
    const total = await escrow.read.totalEarnedBy([1]);
    expect(await escrow.read.earnedBy([1])).to.equal(total - firstDay);
    expect(await escrow.read.totalSpentBy([partner.address])).to.equal(total);
  });

  it("counts for the days it was earned on when it is settled days later", async () => {
    const { market, placed, day, since } = await running();
    const { escrow } = market;
    await goToDay(market, day + 3n, 499);
    await escrow.write.settle([[placed.ref]]);
    const now = BigInt(await market.time.latest());
    const matured = rate * ((day + 2n) * dayOf - since);
    const [amount, fee] = await escrow.read.collectableBy([1]);
    expect(amount + fee).to.equal(matured);
    expect(await escrow.read.earnedBy([1])).to.equal(rate * (now - since));
    await goToDay(market, day + 4n, 0);
    const [nextAmount, nextFee] = await escrow.read.collectableBy([1]);
    expect(nextAmount + nextFee).to.equal(matured + rate * dayOf);
    await goToDay(market, day + 5n, 0);
    const [allAmount, allFee] = await escrow.read.collectableBy([1]);
    expect(allAmount + allFee).to.equal(rate * (now - since));
  });

  it("matures immediately when it exceeds a day's lane", async () => {
    const market = await loadPartner();
    const most = 2n ** 72n - 1n;
    const price = 10n ** 18n;
    await deposit(market, partner.address, parseEther("90000"));
    await authorize(market, { nonce: 2n, maxRate: price, total: parseEther("90000") });
    const { docker, escrow } = market;
    const [node] = await addNodes(market, ["dear node"], { pricePerSecond: price });
    const day = (await today(market)) + 1n;
    await goToDay(market, day, 10);
    const { workspaceId, spec } = await publish(
      market,
      { maxPricePerSecond: price },
      { authorizationId: 2n },
    );
    await assign(market, [{ workspaceId, replica: 0, nodeId: 3, start: true, spec }]);
    const { fence } = await docker.read.assignmentOf([workspaceId, 0]);
    const ref = { workspaceId, replica: 0, lease: 1 };
    await report(market, { ref, fence }, state.running, 1, {}, node?.key);
    await goToDay(market, day, 20_000);
    await escrow.write.settle([[ref]]);
    const total = await escrow.read.totalEarnedBy([3]);
    expect(total > most).to.equal(true);
    const [amount, fee] = await escrow.read.collectableBy([3]);
    expect(amount + fee).to.equal(total - most);
  });
});

describe("Escrow: fees", () => {
  it("of a single unit are burned", async () => {
    const market = await loadPartner();
    const { docker, escrow, token } = market;
    const [cheap] = await addNodes(market, ["cheap node"], { pricePerSecond: 1n });
    const { workspaceId, spec } = await publish(market);
    await assign(market, [{ workspaceId, replica: 0, nodeId: 3, start: true, spec }]);
    const { fence } = await docker.read.assignmentOf([workspaceId, 0]);
    const placed = { ref: { workspaceId, replica: 0, lease: 1 }, fence };
    await report(market, placed, state.running, 1, {}, cheap?.key);
    await report(market, placed, state.stopped, 2, {}, cheap?.key);
    const earned = await escrow.read.totalEarnedBy([3]);
    expect(earned > 0n && earned < 100n).to.equal(true);
    await goToDay(market, (await today(market)) + 2n, 0);
    const supply = await token.read.totalSupply();
    await escrow.write.collect([[3]]);
    expect(await token.read.totalSupply()).to.equal(supply - 1n);
    expect(await token.read.balanceOf([cheap?.key.address ?? partner.address])).to.equal(earned - 1n);
  });
});

describe("Escrow: refunds of downtime", () => {
  it("give the owner rate × downSeconds of yesterday back, once, by anyone's call", async () => {
    const run = await running();
    const { market, placed, day } = run;
    const { escrow } = market;
    await goToDay(market, day + 1n, 100);
    const proven = await commitDowntime(market, day, [downtime(run, 600), downtime(run, 9, { lease: 9 })]);
    const only = { items: proven.items.slice(0, 1), proofs: proven.proofs.slice(0, 1) };
    const receipt = await refund(market, only);
    const [event] = parseEventLogs({ abi: escrowAbi, eventName: "Refunded", logs: receipt.logs });
    expect(event?.args).to.deep.equal({
      workspaceId: placed.workspaceId,
      nodeId: 1,
      replica: 0,
      lease: 1,
      owner: partner.address,
      day,
      downSeconds: 600,
      amount: 600n * rate,
    });
    const spent = await escrow.read.totalSpentBy([partner.address]);
    expect(await escrow.read.earnedBy([1])).to.equal(spent);
    expect(await escrow.read.balanceOf([partner.address])).to.equal(parseEther("1") + 1_000_000n - spent);
    const ref = { workspaceId: placed.workspaceId, replica: 0, lease: 1 };
    const refunded = async (on: bigint) => (await escrow.read.paidOn([on, ref, 1, 1n]))[1];
    expect(await refunded(day)).to.equal(true);
    expect(await refunded(day + 1n)).to.equal(false);
    expectRefused(await refund(market, only), "DowntimeRefunded", { day, lease: 1 });
  });

  it("come out of the day's debt, settled or not, and never out of collected earnings", async () => {
    const run = await running();
    const { market, day, since } = run;
    await goToDay(market, day + 1n, 100);
    const proven = await commitDowntime(market, day, [downtime(run, 86_400)]);
    const receipt = await refund(market, proven);
    const [event] = parseEventLogs({ abi: escrowAbi, eventName: "Refunded", logs: receipt.logs });
    // The lease ran for half the day; the root says it was down for all of it.
    expect(event?.args.amount).to.equal(rate * ((day + 1n) * dayOf - since));
    await goToDay(market, day + 2n, 0);
    expect(await market.escrow.read.collectableBy([1])).to.deep.equal([0n, 0n]);
  });

  it("of a lease that ended are limited by its authorization", async () => {
    const run = await running();
    const { market, placed, day } = run;
    await market.docker.write.requestDelete([[placed.ref]], { account: market.people.delegate });
    await report(market, placed, state.deleted, 2);
    const next = { workspaceId: placed.workspaceId, replica: 0, nodeId: 2, start: true, spec: placed.spec };
    await assign(market, [next]);
    await goToDay(market, day + 1n, 0);
    const proven = await commitDowntime(market, day, [
      downtime(run, 2),
      downtime(run, 3, { rate: 1_000_001n }),
      downtime(run, 4, { lease: 3 }),
      downtime(run, 5, { lease: 2, nodeId: 1 }),
    ]);
    const receipt = await refund(market, proven);
    const [event] = parseEventLogs({ abi: escrowAbi, eventName: "Refunded", logs: receipt.logs });
    expect(event?.args.amount).to.equal(2n * rate);
    expect(refusalsOf(receipt).map(({ index, name }) => [index, name])).to.deep.equal([
      [1, "DowntimeRefunded"],
      [2, "LeaseUnknown"],
      [3, "LeaseUnknown"],
    ]);
  });

  it("of leases of a replica are independent", async () => {
    const run = await running();
    const { market, placed, day } = run;
    const { workspaceId, spec } = placed;
    const serve = async (ref: typeof placed.ref) => {
      const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
      await report(market, { ref, fence }, state.running, 2);
      await market.time.increase(2);
    };
    const replace = async (lease: number) => {
      const ref = { workspaceId, replica: 0, lease };
      // Those that are refunded below have paid for a second at least.
      if (lease > 126) await serve(ref);
      await market.docker.write.requestDelete([[ref]], { account: market.people.delegate });
      const { fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
      await report(market, { ref, fence }, state.deleted, 3);
      await assign(market, [{ workspaceId, replica: 0, nodeId: 1, start: true, spec }]);
    };
    for (let lease = 1; lease <= 128; lease += 1) await replace(lease);
    const { lease, fence } = await market.docker.read.assignmentOf([workspaceId, 0]);
    expect(lease).to.equal(129);
    await report(market, { ref: { workspaceId, replica: 0, lease }, fence }, state.running, 1);
    await goToDay(market, day + 1n, 100);
    const leases = [129, 128, 127, 1];
    const proven = await commitDowntime(
      market,
      day,
      leases.map((number) => downtime(run, 2, { lease: number })),
    );
    const marks = () =>
      Promise.all(
        leases.map(async (number) => {
          const ref = { workspaceId, replica: 0, lease: number };
          return (await market.escrow.read.paidOn([day, ref, 1, 1n]))[1];
        }),
      );
    for (const place of leases.keys()) {
      const only = {
        items: proven.items.slice(place, place + 1),
        proofs: proven.proofs.slice(place, place + 1),
      };
      expect(refusalsOf(await refund(market, only))).to.deep.equal([]);
      expect(await marks()).to.deep.equal(leases.map((_, other) => other <= place));
      for (const other of [2, 257]) {
        const ref = { workspaceId, replica: 0, lease: other };
        expect((await market.escrow.read.paidOn([day, ref, 1, 1n]))[1], String(other)).to.equal(false);
      }
      expectRefused(await refund(market, only), "DowntimeRefunded", { day, lease: leases[place] });
    }
  });

  it("are refused for another day, root, proof, rate or node, and without earnings", async () => {
    const run = await running();
    const { market, day } = run;
    await market.time.increase(10);
    const early = { items: [downtime(run, 1)], proofs: [[]] };
    expectRefused(await refund(market, early), "RefundWindowClosed", { day, today: day });
    await goToDay(market, day + 1n, 0);
    expectRefused(await refund(market, early), "UptimeRootUnknown", { day });
    const items = [
      downtime(run, 1, { rate: 999n }),
      downtime(run, 1, { authorizationId: 2n }),
      downtime(run, 1, { nodeId: 2 }),
      downtime(run, 1, { workspaceId: 9n }),
      downtime(run, 0),
      downtime(run, 1),
    ];
    const proven = await commitDowntime(market, day, items);
    const wrong = { items: [downtime(run, 2), ...items], proofs: [proven.proofs[0] ?? [], ...proven.proofs] };
    const receipt = await refund(market, wrong);
    expect(refusalsOf(receipt).map(({ index, name }) => [index, name])).to.deep.equal([
      [0, "DowntimeProofInvalid"],
      [1, "LeaseUnknown"],
      [2, "LeaseUnknown"],
      [3, "LeaseUnknown"],
      [4, "LeaseUnknown"],
      [5, "RefundUnfunded"],
    ]);
    await goToDay(market, day + 2n, 0);
    const late = { items: [downtime(run, 3)], proofs: proven.proofs.slice(0, 1) };
    expectRefused(await refund(market, late), "RefundWindowClosed", { day, today: day + 2n });
  });

  it("know of no payment on a day that has not come or is long past", async () => {
    const { market, placed, day } = await running();
    for (const other of [day + 1n, day - 3n])
      expect(await market.escrow.read.paidOn([other, placed.ref, 1, 1n])).to.deep.equal([0n, false]);
  });

  it("of a day are independent of the next", async () => {
    const run = await running();
    const { market, day } = run;
    for (const next of [day, day + 1n, day + 2n]) {
      await goToDay(market, next + 1n, 0);
      const proven = await commitDowntime(market, next, [downtime(run, 10, { day: next })]);
      const receipt = await refund(market, proven);
      const [event] = parseEventLogs({ abi: escrowAbi, eventName: "Refunded", logs: receipt.logs });
      expect(event?.args.amount).to.equal(10n * rate);
      expectRefused(await refund(market, proven), "DowntimeRefunded", { day: next });
    }
  });
});
