import { replaceNgpu } from "@ngpu/contracts/ignition/replace";
import { computeNodeAbi, pausesAbi, pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { expect } from "chai";
import {
  concatHex,
  encodeFunctionData,
  getAbiItem,
  type Hex,
  keccak256,
  parseEther,
  parseEventLogs,
  toFunctionSelector,
  toHex,
} from "viem";
import { replace, retire } from "./support/generations.ts";
import { keyOf, loadMarket, type MarketFixture } from "./support/market.ts";
import {
  absent,
  addMeasurer,
  type Drawn,
  finalize,
  loadMeasure,
  requestRound,
  reveal,
} from "./support/measure.ts";
import { expectRevert, refusalsOf } from "./support/reverts.ts";
import { loadPartner, type PartnerFixture, partner, place, report, state } from "./support/workspaces.ts";

const dataHash = keccak256("0xda");
const one = keyOf("rewarded").address;
const two = keyOf("rewarded too").address;

async function endOf(market: MarketFixture, number: number): Promise<void> {
  const { genesis, epochSeconds } = market.deployment.parameters;
  const end = genesis + number * epochSeconds;
  if ((await market.time.latest()) < end) await market.time.increaseTo(end);
}

/** Posts cumulative grants to `one` and `two`, and waits until they can be claimed. */
async function post(market: MarketFixture, number: number, grants: [bigint, bigint]) {
  await endOf(market, number);
  const shares = grants.map((cumulative, place) => ({ account: place === 0 ? one : two, cumulative }));
  const tree = claimTreeOf(shares);
  const { pomc, people, time, deployment } = market;
  await pomc.write.postEpoch([BigInt(number), tree.root, grants[0] + grants[1], dataHash], {
    account: people.poster,
  });
  await time.increase(deployment.parameters.activationDelay);
  return (account: Hex) => {
    const index = account === one ? 0 : 1;
    const { cumulative } = shares[index] as (typeof shares)[number];
    return pomc.write.claim([BigInt(number), account, cumulative, tree.proofOf(index)]);
  };
}

describe("Generations of rewards", () => {
  for (const succession of ["rewards", "market"] as const) {
    it(`pay the grants of their own epochs completely and once when ${succession} is replaced`, async () => {
      const old = await loadMarket();
      const { token } = old;
      const granted = parseEther("1500");
      const claimOld = await post(old, 2, [granted, parseEther("500")]);
      await claimOld(one);
      const market = await replace(old, succession);
      expect(await market.pomc.read.lastEpoch()).to.equal(2n);
      expect(await market.pomc.read.epochsBefore()).to.equal(2n);
      const claimNew = await post(market, 4, [300n, parseEther("2000") - 300n]);
      // More than two emissions are claimed, so each claim is paid in part, and a repeat pays the rest.
      for (let hours = 0; hours < 6; hours += 1) {
        await claimNew(one);
        await claimNew(two);
        await claimOld(one);
        await claimOld(two);
        await market.time.increase(market.deployment.parameters.epochSeconds);
      }
      expect(await token.read.balanceOf([one])).to.equal(granted + 300n);
      expect(await token.read.balanceOf([two])).to.equal(parseEther("2500") - 300n);
      for (const { pomc } of [old, market]) expect(await token.read.balanceOf([pomc.address])).to.equal(0n);
      expect(await token.read.totalSupply()).to.equal(parseEther("100000") + parseEther("4000"));
      expect((await token.read.minterOf([old.pomc.address]))[1]).to.equal(parseEther("2000"));
    });
  }

  it("keep to one schedule together, whatever the poster requests and whoever unpauses", async () => {
    const old = await loadMarket();
    await post(old, 1, [parseEther("1000"), 0n]);
    const market = await replace(old, "rewards");
    await endOf(market, 3);
    const as = { account: market.people.poster };
    const root = claimTreeOf([{ account: one, cumulative: 1n }]).root;
    const call = (number: bigint, total: bigint) =>
      market.pomc.write.postEpoch([number, root, total, dataHash], as);
    await expectRevert(call(1n, 1n), "EpochNotIncreasing", { number: 1n, last: 1n });
    await expectRevert(call(3n, parseEther("2000") + 1n), "EpochScheduleExceeded", {
      limit: parseEther("2000"),
    });
    await call(3n, parseEther("2000"));
    await unpause(old, "postEpoch");
    const claim = await post(old, 3, [parseEther("3000"), 0n]);
    for (let hours = 0; hours < 6; hours += 1) {
      await claim(one);
      await old.time.increase(old.deployment.parameters.epochSeconds);
    }
    expect(await old.token.read.balanceOf([one])).to.equal(parseEther("1000"));
  });

  it("change no parameter of a contract that stays, so that the parameters match the contract", async () => {
    const { connection, deployment } = await loadMarket();
    const { emissionPerEpoch, measureTtlSeconds } = deployment.parameters;
    const changes = { emissionPerEpoch: 2n * emissionPerEpoch, measureTtlSeconds: measureTtlSeconds + 1 };
    const { deployment: next } = await replaceNgpu({
      connection,
      deployment,
      succession: "measure",
      generation: 2,
      changes,
      pollMs: 5,
    });
    expect(next.parameters.emissionPerEpoch).to.equal(emissionPerEpoch);
    expect(next.parameters.measureTtlSeconds).to.equal(measureTtlSeconds + 1);
  });

  it("wait until the last epoch before them can no longer be disabled", async () => {
    const old = await loadMarket();
    const { connection, deployment, people, pomc, time } = old;
    await endOf(old, 1);
    const root = claimTreeOf([{ account: one, cumulative: 1n }]).root;
    await pomc.write.postEpoch([1n, root, 1n, dataHash], { account: people.poster });
    const postEpoch = toFunctionSelector(getAbiItem({ abi: pomcAbi, name: "postEpoch" }));
    await old.pausesOf("Pomc").write.pause([[postEpoch]], { account: people.guardian });
    const early = replaceNgpu({ connection, deployment, succession: "market", generation: 2, pollMs: 5 });
    expect(await early.catch((error: unknown) => error)).to.include({ code: "epoch_not_active" });
    await time.increase(deployment.parameters.activationDelay);
    const market = await replace(old, "market");
    expect(await market.pomc.read.epochsBefore()).to.equal(1n);
  });

  it("continue counting receipts against the same escrow, and start from zero against another", async () => {
    const { old, earned } = await paid();
    await commit(old, earned - 7n);
    const { connection, deployment, people } = old;
    const pausing = { account: people.guardian };
    const postEpoch = toFunctionSelector(getAbiItem({ abi: pomcAbi, name: "postEpoch" }));
    await old.pausesOf("Pomc").write.pause([[postEpoch]], pausing);
    const early = replaceNgpu({ connection, deployment, succession: "rewards", generation: 2, pollMs: 5 });
    expect(await early.catch((error: unknown) => error)).to.include({ code: "pomc_not_paused" });
    const market = await replace(old, "rewards");
    await expectRevert(commit(old, 1n), "FunctionPaused");
    expect(await market.pomc.read.receiptsOfNode([1])).to.equal(earned - 7n);
    await expectRevert(commit(market, 8n), "ReceiptsExceedEarned", { receipts: earned + 1n, earned });
    await commit(market, 3n);
    await commit(market, 4n);
    await expectRevert(commit(market, 1n), "ReceiptsExceedEarned", { receipts: earned + 1n });
    expect(await market.pomc.read.receiptsOfPayer([partner.address])).to.equal(earned);
    expect(await market.pomc.read.lastReceipts()).to.equal(2n ** 40n + 2n);
    const third = await replace(market, "rewards");
    await expectRevert(commit(third, 1n), "ReceiptsExceedEarned", { receipts: earned + 1n });
    const fourth = await replace(third, "market");
    expect(await fourth.pomc.read.receiptsOfNode([1])).to.equal(0n);
    await expectRevert(commit(fourth, 1n), "ReceiptsExceedEarned", { receipts: 1n, earned: 0n });
  });
});

describe("Generations of Measure", () => {
  it("end the rounds they began, and number their own above", async () => {
    const old = await loadMeasure();
    await addMeasurer(old, "m");
    const round = await requestRound(old);
    const market = await replace(old, "measure");
    await retire(old, "measure");
    await expectRevert(addMeasurer(old, "late"), "FunctionPaused");
    await addMeasurer(market, "m");
    expect(await market.measure.read.measurerIdOf([keyOf("m").address])).to.equal(2 ** 24 + 1);
    const next = await requestRound(market);
    expect(next.roundId).to.equal(2n ** 40n + 1n);
    await expectRevert(old.waves.write.open(), "FunctionPaused");
    expect(await market.waves.read.waveCount()).to.equal(2 ** 24);
    expect((await market.waves.read.rules()).drawn).to.equal(7);
    for (const [of, { drawn, ...its }] of [
      [old, round],
      [market, next],
    ] as const) {
      // Absence cannot be reported before the window's last quarter.
      await of.time.increaseTo(its.closesAt - 75);
      const revealed = await reveal(of, "m", its, drawn[0] as Drawn, { result: absent });
      expect(refusalsOf(revealed)).to.deep.equal([]);
    }
    await market.time.increaseTo(Math.max(round.closesAt, next.closesAt) + 60);
    for (const [of, { roundId }] of [
      [old, round],
      [market, next],
    ] as const) {
      const receipt = await finalize(of, roundId);
      const challenged = parseEventLogs({
        abi: computeNodeAbi,
        eventName: "PresenceChallenged",
        logs: receipt.logs,
      });
      expect(challenged.map(({ args }) => args.nodeId)).to.deep.equal([1]);
    }
    await old.computeNode.write.setMeasure([old.measure.address, false]);
    expect(await old.computeNode.read.isMeasure([old.measure.address])).to.equal(false);
    expect(await old.computeNode.read.isMeasure([market.measure.address])).to.equal(true);
  });
});

async function unpause({ manager, pomc, people, time }: MarketFixture, name: "postEpoch"): Promise<void> {
  const selector = toFunctionSelector(getAbiItem({ abi: pomcAbi, name }));
  const data = encodeFunctionData({ abi: pausesAbi, functionName: "unpause", args: [[selector]] });
  await manager.write.schedule([pomc.address, data, 0], { account: people.unpauser });
  await time.increase(3_600);
  await manager.write.execute([pomc.address, data], { account: people.unpauser });
}

/** Node 1 was paid by the partner. */
async function paid() {
  const old = await loadPartner();
  const placed = await place(old);
  await report(old, placed, state.running, 1);
  await old.time.increase(99);
  await report(old, placed, state.stopped, 2);
  return { old, earned: await old.escrow.read.totalEarnedBy([1]) };
}

function commit({ pomc, people }: PartnerFixture, amount: bigint) {
  const node = toHex((1n << 224n) | amount, { size: 32 });
  const payer = concatHex([partner.address, toHex(amount, { size: 12 })]);
  return pomc.write.commitReceipts([dataHash, [node], [payer]], { account: people.receiptsPoster });
}
