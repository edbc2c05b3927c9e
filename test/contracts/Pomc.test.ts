import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { packTerms } from "@ngpu/rewards/terms";
import { expect } from "chai";
import { type Hex, keccak256, parseEther, parseEventLogs, slice, zeroAddress } from "viem";
import { isGasReal, noteGas, printGas } from "./support/gas.ts";
import { keyOf, loadMarket, type MarketFixture, marketFixture } from "./support/market.ts";
import { expectRevert } from "./support/reverts.ts";

const dataHash = keccak256("0xda");
const someRoot = slice(dataHash, 0, 20);
type Share = [Hex, bigint];

const patient = () => marketFixture({ settlementSeconds: 1_800 });

function treeOf(shares: Share[]) {
  const tree = claimTreeOf(shares.map(([account, cumulative]) => ({ account, cumulative })));
  const total = shares.reduce((sum, [, cumulative]) => sum + cumulative, 0n);
  return {
    ...tree,
    total,
    proof: (account: Hex) => tree.proofOf(shares.findIndex(([own]) => own === account)),
  };
}

/** Waits until epoch `number` has ended. */
async function endOf(market: MarketFixture, number: number): Promise<void> {
  const { genesis, epochSeconds } = market.deployment.parameters;
  const end = genesis + number * epochSeconds;
  if ((await market.time.latest()) < end) await market.time.increaseTo(end);
}

async function post(market: MarketFixture, number: number, shares: Share[]) {
  await endOf(market, number);
  const tree = treeOf(shares);
  const receipt = await market.mined(
    market.pomc.write.postEpoch([BigInt(number), tree.root, tree.total, dataHash], {
      account: market.people.poster,
    }),
  );
  return { ...tree, receipt, activatesAt: (await market.time.latest()) + 600 };
}

describe("Pomc: epochs", () => {
  after(printGas);
  const account = keyOf("rewarded").address;

  it("accepts a root from its poster once the epoch has ended, and activates it after the delay", async () => {
    const market = await loadMarket();
    const { pomc, people } = market;
    const { root, total } = treeOf([[account, 10n]]);
    const call = (caller: Hex) => pomc.write.postEpoch([1n, root, total, dataHash], { account: caller });
    await expectRevert(call(people.outsider), "CallerNotPoster", { caller: people.outsider });
    await expectRevert(call(people.poster), "EpochNotOver", { number: 1n });
    const { activatesAt, receipt } = await post(market, 1, [[account, 10n]]);
    expect(await pomc.read.epochOf([1n])).to.deep.equal([root, 10n, activatesAt, false]);
    const [posted] = parseEventLogs({ abi: pomcAbi, eventName: "EpochPosted", logs: receipt.logs });
    expect(posted?.args).to.deep.equal({ number: 1n, root, total: 10n, dataHash, activatesAt });
    expect(await pomc.read.lastEpoch()).to.equal(1n);
    await expectRevert(pomc.write.claim([1n, account, 10n, "0x"]), "EpochNotActive", { activatesAt });
    await market.time.increaseTo(activatesAt);
    await pomc.write.claim([1n, account, 10n, "0x"]);
  });

  it("accepts no root before the evidence about its epoch is complete", async () => {
    const market = await loadMarket(patient);
    const { pomc, people, deployment } = market;
    const { genesis, epochSeconds, settlementSeconds } = deployment.parameters;
    expect(await pomc.read.settlementSeconds()).to.equal(settlementSeconds);
    const call = () => pomc.write.postEpoch([1n, someRoot, 1n, dataHash], { account: people.poster });
    const settledAt = genesis + epochSeconds + settlementSeconds;
    await market.time.setNextBlockTimestamp(settledAt - 1);
    await expectRevert(call(), "EpochNotOver", { number: 1n, settledAt: BigInt(settledAt) });
    await market.time.setNextBlockTimestamp(settledAt);
    await market.mined(call());
  });

  it("activates an epoch sooner once a watcher attests the same root", async () => {
    const market = await loadMarket();
    const { pomc, people, deployment, mined } = market;
    const { attestedDelay, activationDelay } = deployment.parameters;
    expect(await pomc.read.attestedDelay()).to.equal(attestedDelay);
    const { root } = treeOf([[account, 10n]]);
    const attest = (number: bigint, of: Hex, caller = people.watcher) =>
      pomc.write.attestEpoch([number, of], { account: caller });
    await expectRevert(attest(1n, root), "EpochUnknown", { number: 1n });
    const { activatesAt } = await post(market, 1, [[account, 10n]]);
    for (const caller of [people.poster, people.outsider]) {
      await expectRevert(attest(1n, root, caller), "CallerNotWatcher", { caller });
    }
    await expectRevert(attest(1n, someRoot), "EpochRootDiffers", { number: 1n, attested: someRoot });
    await mined(attest(1n, root));
    const sooner = activatesAt - activationDelay + attestedDelay;
    expect((await pomc.read.epochOf([1n]))[2]).to.equal(sooner);
    await expectRevert(attest(1n, root), "EpochIsAttested", { number: 1n });
    await expectRevert(pomc.write.claim([1n, account, 10n, "0x"]), "EpochNotActive", { activatesAt: sooner });
    await market.time.increaseTo(sooner);
    await pomc.write.claim([1n, account, 10n, "0x"]);
    await expectRevert(attest(1n, root), "EpochIsActive", { number: 1n });
    // An attested epoch can be disabled until it is active, and not be attested afterwards.
    const second = await post(market, 2, [[account, 20n]]);
    await attest(2n, second.root);
    await pomc.write.disableEpoch([2n], { account: people.guardian });
    await expectRevert(attest(2n, second.root), "EpochIsDisabled", { number: 2n });
    // A corrected one is posted with the complete delay again.
    const corrected = await post(market, 2, [[account, 15n]]);
    expect((await pomc.read.epochOf([2n]))[2]).to.equal(corrected.activatesAt);
  });

  it("gives each account one power", async () => {
    const { pomc, people } = await loadMarket();
    const { poster, receiptsPoster, watcher } = people;
    for (const taken of [receiptsPoster, watcher]) {
      await expectRevert(pomc.write.setPoster([taken]), "AccountHasPower", { account: taken });
    }
    for (const taken of [poster, watcher]) {
      await expectRevert(pomc.write.setReceiptsPoster([taken]), "AccountHasPower", { account: taken });
    }
    for (const taken of [poster, receiptsPoster]) {
      await expectRevert(pomc.write.setWatcher([taken, true]), "AccountHasPower", { account: taken });
      await pomc.write.setWatcher([taken, false]);
    }
    // The zero address stands for no account.
    await pomc.write.setPoster([zeroAddress]);
    await pomc.write.setReceiptsPoster([zeroAddress]);
    await pomc.write.setPoster([receiptsPoster]);
  });

  it("refuses numbers that do not rise, totals that fall and totals beyond the schedule", async () => {
    const market = await loadMarket();
    const { pomc, people } = market;
    await post(market, 2, [[account, parseEther("1500")]]);
    await endOf(market, 4);
    const call = (number: bigint, total: bigint) =>
      pomc.write.postEpoch([number, someRoot, total, dataHash], { account: people.poster });
    await expectRevert(call(2n, parseEther("1500")), "EpochNotIncreasing", { number: 2n, last: 2n });
    await expectRevert(call(1n, parseEther("1500")), "EpochNotIncreasing", { number: 1n, last: 2n });
    await expectRevert(call(3n, parseEther("1499")), "EpochTotalDecreased", { last: parseEther("1500") });
    await expectRevert(call(3n, parseEther("3000") + 1n), "EpochScheduleExceeded", {
      total: parseEther("3000") + 1n,
      limit: parseEther("3000"),
    });
    await call(3n, parseEther("3000"));
  });

  it("lets the guardian disable an epoch and those after it until they activate, and a corrected one be posted", async () => {
    const market = await loadMarket();
    const { pomc, people, mined } = market;
    const guardian = { account: people.guardian };
    await post(market, 1, [[account, 10n]]);
    // In the last second before it can be claimed from.
    await market.time.setNextBlockTimestamp((await market.time.latest()) + 599);
    await pomc.write.disableEpoch([1n], guardian);
    const first = await post(market, 1, [[account, 10n]]);
    await market.time.increaseTo(first.activatesAt);
    await post(market, 2, [[account, parseEther("2000")]]);
    // Posted together after a stall, so that neither is active yet.
    await market.connection.networkHelpers.mine();
    const { root } = treeOf([[account, parseEther("2500")]]);
    await endOf(market, 3);
    await expectRevert(pomc.write.disableEpoch([2n], guardian), "EpochIsActive", { number: 2n });
    await pomc.write.postEpoch([3n, root, parseEther("2500"), dataHash], { account: people.poster });
    await expectRevert(
      pomc.write.disableEpoch([3n], { account: people.outsider }),
      "AccessManagedUnauthorized",
    );
    const receipt = await mined(pomc.write.disableEpoch([3n], guardian));
    const logs = parseEventLogs({ abi: pomcAbi, logs: receipt.logs, eventName: "EpochDisabled" });
    expect(logs.map(({ args }) => args.number)).to.deep.equal([3n]);
    expect(await pomc.read.lastEpoch()).to.equal(2n);
    await expectRevert(pomc.write.disableEpoch([3n], guardian), "EpochIsDisabled", { number: 3n });
    await expectRevert(pomc.write.disableEpoch([9n], guardian), "EpochUnknown", { number: 9n });
    await market.time.increase(1_000);
    await expectRevert(pomc.write.claim([3n, account, parseEther("2500"), "0x"]), "EpochIsDisabled");
    const corrected = await post(market, 3, [[account, parseEther("2100")]]);
    await market.time.increaseTo(corrected.activatesAt);
    for (let hours = 0; hours < 4; hours += 1) {
      await pomc.write.claim([3n, account, parseEther("2100"), "0x"]);
      await market.time.increase(3_600);
    }
    expect(await market.token.read.balanceOf([account])).to.equal(parseEther("2100"));
  });

  it("disables with an epoch every pending one that builds on it", async () => {
    const market = await loadMarket();
    const { pomc, people, mined } = market;
    await endOf(market, 5);
    for (const number of [2n, 3n, 5n]) {
      await pomc.write.postEpoch([number, someRoot, number * 100n, dataHash], { account: people.poster });
    }
    const receipt = await mined(pomc.write.disableEpoch([3n], { account: people.guardian }));
    const logs = parseEventLogs({ abi: pomcAbi, logs: receipt.logs, eventName: "EpochDisabled" });
    expect(logs.map(({ args }) => args.number)).to.deep.equal([3n, 5n]);
    expect(await pomc.read.lastEpoch()).to.equal(2n);
    expect((await pomc.read.epochOf([2n]))[3]).to.equal(false);
    await pomc.write.postEpoch([4n, someRoot, 200n, dataHash], { account: people.poster });
    expect(await pomc.read.lastEpoch()).to.equal(4n);
  });

  it("reuses an epoch's entry after 128 epochs", async () => {
    const market = await loadMarket();
    const { pomc } = market;
    await post(market, 1, [[account, 10n]]);
    const again = await post(market, 129, [[account, 20n]]);
    noteGas("post-epoch, an entry reused", again.receipt);
    expect((await pomc.read.epochOf([1n]))[2]).to.equal(0);
    await expectRevert(pomc.write.claim([1n, account, 10n, "0x"]), "EpochUnknown", { number: 1n });
    if (isGasReal) expect(Number(again.receipt.gasUsed)).to.be.lessThan(50_000);
  });
});

describe("Pomc: claims", () => {
  const one = keyOf("claimer one").address;
  const two = keyOf("claimer two").address;

  it("pays cumulative grants by anyone's call, and nothing twice", async () => {
    const market = await loadMarket();
    const { pomc, token, people } = market;
    const first = await post(market, 1, [
      [one, 100n],
      [two, 50n],
    ]);
    await market.time.increaseTo(first.activatesAt);
    const call = (number: bigint, account: Hex, cumulative: bigint, proof: Hex) =>
      pomc.write.claim([number, account, cumulative, proof], { account: people.outsider });
    await call(1n, one, 100n, first.proof(one));
    await call(1n, one, 100n, first.proof(one));
    expect(await token.read.balanceOf([one])).to.equal(100n);
    const second = await post(market, 2, [
      [one, 170n],
      [two, 50n],
    ]);
    await market.time.increaseTo(second.activatesAt);
    await call(2n, one, 170n, second.proof(one));
    expect(await token.read.balanceOf([one])).to.equal(170n);
    await call(2n, two, 50n, second.proof(two));
    expect((await token.read.minterOf([pomc.address]))[1]).to.equal(220n);
    expect(await token.read.balanceOf([pomc.address])).to.equal(0n);
    expect(await pomc.read.claimedOf([two])).to.equal(50n);
  });

  it("pays a single unit, and emits nothing when nothing was left to pay", async () => {
    const market = await loadMarket();
    const { pomc, token, mined } = market;
    const { activatesAt, proof } = await post(market, 1, [
      [one, 1n],
      [two, 50n],
    ]);
    await market.time.increaseTo(activatesAt);
    const call = () => mined(pomc.write.claim([1n, one, 1n, proof(one)]));
    const [event] = parseEventLogs({ abi: pomcAbi, eventName: "Claimed", logs: (await call()).logs });
    expect(event?.args).to.deep.equal({ account: one, cumulative: 1n });
    expect(await token.read.balanceOf([one])).to.equal(1n);
    expect((await call()).logs).to.deep.equal([]);
  });

  it("returns zeros for an epoch that was not posted", async () => {
    const { pomc } = await loadMarket();
    const nothing = [`0x${"0".repeat(40)}`, 0n, 0, false];
    for (const number of [0n, 1n, 128n]) expect(await pomc.read.epochOf([number])).to.deep.equal(nothing);
  });

  it("refuses a zero root, and distinguishes a disabled epoch from a replaced one", async () => {
    const market = await loadMarket();
    const { pomc, people } = market;
    const as = { account: people.poster };
    await endOf(market, 132);
    await expectRevert(
      pomc.write.postEpoch([2n, slice(`0x${"0".repeat(64)}`, 0, 20), 1n, dataHash], as),
      "EpochRootZero",
    );
    // 130 reuses the entry of 2, and 131, which is not posted, that of 3.
    for (const number of [2n, 3n, 130n, 132n])
      await pomc.write.postEpoch([number, someRoot, 1n, dataHash], as);
    const guardian = { account: people.guardian };
    await expectRevert(pomc.write.disableEpoch([2n], guardian), "EpochUnknown", { number: 2n });
    await pomc.write.disableEpoch([130n], guardian);
    for (const number of [130n, 132n]) {
      expect(await pomc.read.epochOf([number])).to.deep.equal([someRoot, 1n, 0, true]);
    }
    const [, , activatesAt, disabled] = await pomc.read.epochOf([3n]);
    expect(activatesAt > 0 && !disabled).to.equal(true);
    expect(await pomc.read.lastEpoch()).to.equal(129n);
  });

  it("refuses an incomplete proof", async () => {
    const market = await loadMarket();
    const { root, total } = treeOf([[one, 100n]]);
    await endOf(market, 1);
    await market.pomc.write.postEpoch([1n, root, total, dataHash], { account: market.people.poster });
    await market.time.increase(600);
    await expectRevert(market.pomc.write.claim([1n, one, 100n, "0x01"]), "ClaimProofInvalid", {
      account: one,
    });
  });

  it("refuses a proof of another account, amount or root", async () => {
    const market = await loadMarket();
    const { pomc } = market;
    const { proof, activatesAt } = await post(market, 1, [
      [one, 100n],
      [two, 50n],
    ]);
    await market.time.increaseTo(activatesAt);
    await expectRevert(pomc.write.claim([1n, one, 101n, proof(one)]), "ClaimProofInvalid", {
      account: one,
      cumulative: 101n,
    });
    await expectRevert(pomc.write.claim([1n, two, 100n, proof(one)]), "ClaimProofInvalid");
    await expectRevert(pomc.write.claim([2n, one, 100n, proof(one)]), "EpochUnknown", { number: 2n });
  });

  it("never pays more than the total of its root", async () => {
    const market = await loadMarket();
    const { pomc, people } = market;
    await endOf(market, 1);
    const tree = treeOf([
      [one, 100n],
      [two, 50n],
    ]);
    await pomc.write.postEpoch([1n, tree.root, 149n, dataHash], { account: people.poster });
    await market.time.increase(600);
    await pomc.write.claim([1n, one, 100n, tree.proof(one)]);
    // In part: what there is.
    const claim = () => pomc.write.claim([1n, two, 50n, tree.proof(two)]);
    const [event] = parseEventLogs({
      abi: pomcAbi,
      eventName: "Claimed",
      logs: (await market.mined(claim())).logs,
    });
    expect(event?.args).to.deep.equal({ account: two, cumulative: 49n });
    await market.time.increase(36_000);
    expect((await market.mined(claim())).logs).to.deep.equal([]);
    expect(await pomc.read.claimedOf([two])).to.equal(49n);
    expect(await market.token.read.balanceOf([two])).to.equal(49n);
  });

  it("a stolen poster key takes at most two emissions in an hour, and honest claimants are paid in part and later in full", async () => {
    const market = await loadMarket();
    const { pomc, token } = market;
    const thief = keyOf("thief").address;
    // Honest claimants are owed 20 emissions.
    const honest = await post(market, 20, [
      [one, parseEther("19000")],
      [two, parseEther("1000")],
    ]);
    await market.time.increaseTo(honest.activatesAt);
    const stolen = await post(market, 40, [[thief, parseEther("40000")]]);
    await market.time.increaseTo(stolen.activatesAt);
    const emission = parseEther("1000");
    const begin = await market.time.latest();
    for (let minutes = 0; minutes < 60; minutes += 5) {
      await pomc.write.claim([40n, thief, parseEther("40000"), "0x"]);
      await market.time.setNextBlockTimestamp(begin + (minutes + 5) * 60);
    }
    const taken = await token.read.balanceOf([thief]);
    expect(taken > emission && taken <= 2n * emission).to.equal(true);
    // Honest claims get what accrues meanwhile.
    await pomc.write.claim([20n, two, parseEther("1000"), honest.proof(two)]);
    expect((await token.read.balanceOf([two])) > 0n).to.equal(true);
    for (let hours = 0; hours < 40; hours += 1) {
      await market.time.increase(3_600);
      await pomc.write.claim([20n, two, parseEther("1000"), honest.proof(two)]);
      await pomc.write.claim([20n, one, parseEther("19000"), honest.proof(one)]);
    }
    expect(await token.read.balanceOf([two])).to.equal(parseEther("1000"));
    // A root pays up to its total. The corrected root that follows includes what the thief took.
    expect(await token.read.balanceOf([one])).to.equal(parseEther("19000") - taken);
    const corrected = await post(market, 90, [
      [one, parseEther("19000")],
      [two, parseEther("1000")],
      [keyOf("lost").address, parseEther("20000")],
    ]);
    await market.time.increaseTo(corrected.activatesAt);
    for (let hours = 0; hours < 4; hours += 1) {
      await pomc.write.claim([90n, one, parseEther("19000"), corrected.proof(one)]);
      await market.time.increase(3_600);
    }
    expect(await token.read.balanceOf([one])).to.equal(parseEther("19000"));
  });

  it("pays the others of a batch in which one account can receive nothing", async () => {
    const market = await loadMarket();
    const { pomc, token } = market;
    const tree = await post(market, 1, [
      [zeroAddress, 10n],
      [two, 50n],
    ]);
    await market.time.increaseTo(tree.activatesAt);
    const { grants, proof, flags } = tree.manyOf([0, 1]);
    const receipt = await market.mined(pomc.write.claimMany([1n, grants, proof, flags]));
    const [event] = parseEventLogs({ abi: pomcAbi, eventName: "ClaimedMany", logs: receipt.logs });
    expect(event?.args.grants).to.equal((tree.grants[1] as Hex).toLowerCase());
    expect(await token.read.balanceOf([two])).to.equal(50n);
    expect(await pomc.read.claimedOf([zeroAddress])).to.equal(0n);
  });

  it("pays many in part when there is less, and says how far each was paid", async () => {
    const market = await loadMarket();
    const { pomc, token } = market;
    const tree = await post(market, 3, [
      [one, parseEther("900")],
      [two, parseEther("2000")],
    ]);
    await market.time.increaseTo(tree.activatesAt);
    const { grants, proof, flags } = tree.manyOf([0, 1]);
    const claim = () => market.mined(pomc.write.claimMany([3n, grants, proof, flags]));
    const [event] = parseEventLogs({ abi: pomcAbi, eventName: "ClaimedMany", logs: (await claim()).logs });
    // The credit of three quarters of an emission.
    const paid = (await token.read.balanceOf([one])) + (await token.read.balanceOf([two]));
    expect(paid).to.equal(parseEther("750"));
    expect(BigInt(`0x${event?.args.grants.slice(-24)}`)).to.equal(paid);
    for (let hours = 0; hours < 4; hours += 1) {
      await market.time.increase(3_600);
      await claim();
    }
    expect(await token.read.balanceOf([one])).to.equal(parseEther("900"));
    expect(await token.read.balanceOf([two])).to.equal(parseEther("2000"));
    expect(await token.read.balanceOf([pomc.address])).to.equal(0n);
  });

  it("pays many with one proof, and nothing to those who have claimed already", async () => {
    const market = await loadMarket();
    const { pomc, token, mined } = market;
    const accounts = Array.from({ length: 13 }, (_, place) => keyOf(`one of many ${place}`).address);
    const shares = accounts.map((account, place): Share => [account, BigInt(place + 1)]);
    const tree = await post(market, 1, shares);
    await market.time.increaseTo(tree.activatesAt);
    await pomc.write.claim([1n, accounts[4] as Hex, 5n, tree.proofOf(4)]);
    for (const places of [[3, 4, 5, 6], [12], [0, 2, 4, 7, 11, 12], accounts.map((_, place) => place)]) {
      const { grants, proof, flags } = tree.manyOf(places);
      const receipt = await mined(pomc.write.claimMany([1n, grants, proof, flags]));
      const logs = parseEventLogs({ abi: pomcAbi, eventName: "ClaimedMany", logs: receipt.logs });
      expect(logs[0]?.args.grants).to.not.include((tree.grants[4] as Hex).slice(2));
      for (const place of places) {
        expect(await token.read.balanceOf([accounts[place] as Hex])).to.equal(BigInt(place + 1));
      }
    }
    expect(await token.read.balanceOf([pomc.address])).to.equal(0n);
  });

  it("refuses a multiproof that is incomplete, for others or too long", async () => {
    const market = await loadMarket();
    const { pomc } = market;
    const tree = await post(market, 1, [
      [one, 100n],
      [two, 50n],
      [keyOf("three").address, 25n],
    ]);
    await market.time.increaseTo(tree.activatesAt);
    const { grants, proof, flags } = tree.manyOf([0, 1]);
    const call = (given: Hex[], nodes: Hex, bits: Hex) => pomc.write.claimMany([1n, given, nodes, bits]);
    const invalid = "ClaimManyProofInvalid";
    await expectRevert(call([], tree.root, "0x"), invalid);
    await expectRevert(call(grants, slice(proof, 1), flags), invalid);
    await expectRevert(call(grants, "0x", flags), invalid);
    await expectRevert(call(grants, proof, "0x"), invalid);
    await expectRevert(call(grants, proof, "0x00"), invalid);
    await expectRevert(call([grants[0] as Hex, tree.grants[2] as Hex], proof, flags), invalid);
    await expectRevert(call(Array(513).fill(grants[0]), proof, flags), "ClaimTooLong", { grants: 513n });
  });

  it("refuses an inner node as a grant", async () => {
    const market = await loadMarket();
    const tree = await post(market, 1, [
      [one, 100n],
      [two, 50n],
    ]);
    await market.time.increaseTo(tree.activatesAt);
    // The root itself, and a node of 40 bytes truncated to 32, are not leaves.
    const [low, high] = tree.grants as [Hex, Hex];
    for (const grant of [
      `0x${tree.root.slice(2)}${"0".repeat(24)}`,
      slice(`${low}${high.slice(2)}`, 0, 32),
    ]) {
      await expectRevert(
        market.pomc.write.claimMany([1n, [grant as Hex], "0x", "0x"]),
        "ClaimManyProofInvalid",
      );
    }
  });
});

describe("Pomc: the terms of rewards", () => {
  const terms = packTerms(defaultTerms({ slotSeconds: 60 }));

  it("apply from the first epoch on, and later ones from the next epoch on", async () => {
    const market = await loadMarket();
    const { pomc } = market;
    expect((await pomc.read.newestTerms())[0]).to.equal(1n);
    expect((await pomc.read.newestTerms())[1]).to.deep.equal(terms);
    await endOf(market, 5);
    await pomc.write.setTerms([{ ...terms, bondDays: 9 }]);
    const [fromEpoch, newest] = await pomc.read.newestTerms();
    expect([fromEpoch, newest.bondDays]).to.deep.equal([7n, 9]);
  });

  it("are refused when parts, weights or bonds are out of bounds", async () => {
    const { pomc } = await loadMarket();
    const refused = (changes: Partial<typeof terms>, error: string, args?: Record<string, unknown>) =>
      expectRevert(pomc.write.setTerms([{ ...terms, ...changes }]), error, args);
    await refused({ measurerBasisPoints: 5_000, taskBasisPoints: 5_001 }, "TermsPartsInvalid");
    await refused({ nodeTaskBasisPoints: 9_000, payerTaskBasisPoints: 1 }, "TermsTasksInvalid", {
      nodeTaskBasisPoints: 9_000n,
      payerTaskBasisPoints: 1n,
    });
    await refused({ bondDays: 0 }, "TermsBondInvalid");
    await refused({ bondUptimePermille: 0 }, "TermsBondInvalid");
    await refused({ bondUptimePermille: 1_001 }, "TermsBondInvalid");
    await refused({ classes: terms.classes.slice(1) }, "TermsWeightsInvalid", { classes: 3n, sum: 980_000n });
    const none: Hex = `0x${"0".repeat(64)}`;
    await refused({ classes: [...terms.classes, ...Array(13).fill(none)] }, "TermsWeightsInvalid", {
      classes: 17n,
    });
    await pomc.write.setTerms([{ ...terms, measurerBasisPoints: 5_000, taskBasisPoints: 5_000 }]);
  });
});
