import { computeNodeAbi, escrowAbi, measureAbi, pomcAbi, tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { packTerms } from "@ngpu/rewards/terms";
import { expect } from "chai";
import { type Abi, type Account, type Chain, getContract, type Transport, type WalletClient } from "viem";
import { loadMarket, type MarketFixture } from "./support/market.ts";
import { expectRevert, zeroAddress } from "./support/reverts.ts";

const hour = 3_600;
const node = {
  slotSeconds: 60n,
  windowSlots: 60n,
  daySeconds: 86_400n,
  uptimeDelay: 600,
  registrationLimit: 60,
  registrationSeconds: hour,
  absenceBasisPoints: 500,
};
const lease = {
  minSeconds: 600,
  lockFloor: 5n,
  rateFloor: 1n,
  startSeconds: hour,
  restSeconds: 60,
  refundDays: 1,
  feeBasisPoints: 100,
};
const round = {
  quorum: 1,
  draws: 1,
  openToAll: true,
  leadSeconds: 10,
  windowSeconds: 300,
  ttlSeconds: hour,
  measurersBefore: 0,
  roundsBefore: 0n,
};
const epoch = {
  genesis: 1_700_000_000,
  epochSeconds: hour,
  settlementSeconds: 0,
  activationDelay: 600,
  attestedDelay: 600,
  emissionPerEpoch: 5n,
  epochsBefore: 0n,
  batchesBefore: 0n,
  receiptsBefore: zeroAddress,
};

/** Deploys one more contract in the market. */
function make(market: MarketFixture) {
  const { viem } = market.connection;
  const { AccessManager, ComputeNode, Escrow, Token } = market.deployment.contracts;
  const deploy = async <const Contract extends Abi>(abi: Contract, name: string, args: unknown[]) => {
    const { address } = await viem.deployContract(name, args);
    const [wallet] = await viem.getWalletClients();
    return getContract({
      abi,
      address,
      client: { public: market.client, wallet: wallet as WalletClient<Transport, Chain, Account> },
    });
  };
  return {
    computeNode: (changes = {}) =>
      deploy(computeNodeAbi, "ComputeNode", [AccessManager, { ...node, ...changes }]),
    escrow: (changes = {}) =>
      deploy(escrowAbi, "Escrow", [AccessManager, Token, ComputeNode, { ...lease, ...changes }, 0n]),
    measure: (changes = {}) =>
      deploy(measureAbi, "Measure", [AccessManager, ComputeNode, { ...round, ...changes }]),
    pomc: (changes = {}) => deploy(pomcAbi, "Pomc", [AccessManager, Token, Escrow, { ...epoch, ...changes }]),
    token: (cap: bigint, genesis: bigint) =>
      deploy(tokenAbi, "Token", [AccessManager, market.people.treasury, cap, genesis]),
  };
}

describe("Settings", () => {
  it("of limits are parts of a whole", async () => {
    const market = await loadMarket();
    const share = { basisPoints: 10_001 };
    await expectRevert(
      make(market).computeNode({ absenceBasisPoints: 10_001 }),
      "AbsenceShareInvalid",
      share,
    );
    const { ComputeNode, Escrow } = market.deployment.contracts;
    const limits = { basisPoints: 500, floor: 16, silenceSeconds: 60 };
    for (const changes of [share, { floor: 0 }]) {
      const args = [ComputeNode, Escrow, 60, { ...limits, ...changes }];
      const deployed = market.connection.viem.deployContract("DockerExtension", args);
      await expectRevert(deployed, "LossTermsInvalid");
    }
  });

  it("that cannot work are refused, with the invalid value", async () => {
    const { computeNode, escrow, measure, pomc, token } = make(await loadMarket());
    const slotSeconds = 60n;
    const windowSlots = 60n;
    for (const changes of [{ slotSeconds: 0n }, { windowSlots: 0n }, { windowSlots: 257n }]) {
      const given = { slotSeconds, windowSlots, ...changes };
      await expectRevert(computeNode(changes), "HeartbeatWindowInvalid", { ...given, ringSlots: 256n });
    }
    for (const changes of [{ registrationLimit: 0 }, { registrationSeconds: 0 }]) {
      await expectRevert(computeNode(changes), "RegistrationRateInvalid");
    }
    for (const daySeconds of [0n, 59n, 86_399n]) {
      await expectRevert(computeNode({ daySeconds }), "UptimeDayInvalid", { daySeconds, slotSeconds });
    }
    const fee = { basisPoints: 1_001, limit: 1_000 };
    await expectRevert(escrow({ feeBasisPoints: 1_001 }), "FeeInvalid", fee);
    for (const refundDays of [0, 3]) {
      await expectRevert(escrow({ refundDays }), "RefundDaysInvalid", { refundDays, limit: 2 });
    }
    for (const [quorum, draws] of [
      [0, 1],
      [2, 1],
      [1, 9],
    ]) {
      await expectRevert(measure({ quorum, draws }), "MeasureQuorumInvalid", { quorum, draws });
    }
    await expectRevert(pomc({ epochSeconds: 0 }), "EpochLengthInvalid", { epochSeconds: 0 });
    await expectRevert(pomc({ attestedDelay: 601 }), "EpochDelayInvalid", {
      attestedDelay: 601,
      activationDelay: 600,
    });
    await expectRevert(token(10n, 11n), "TokenCapExceeded", { supply: 11n, cap: 10n });
  });

  it("at their limits are accepted", async () => {
    const { computeNode, escrow, measure, pomc, token } = make(await loadMarket());
    expect(await (await computeNode({ windowSlots: 256n })).read.heartbeatWindowSlots()).to.equal(256n);
    expect(await (await computeNode({ daySeconds: 60n })).read.daySeconds()).to.equal(60n);
    const least = await computeNode({
      slotSeconds: 1n,
      windowSlots: 1n,
      registrationLimit: 1,
      registrationSeconds: 1,
    });
    expect(await least.read.registrationRate()).to.deep.equal([1, 1]);
    expect(await (await escrow({ feeBasisPoints: 1_000, refundDays: 2 })).read.feeBasisPoints()).to.equal(
      1_000,
    );
    expect(await (await measure({ quorum: 8, draws: 8 })).read.quorum()).to.equal(8);
    const shortest = await pomc({ epochSeconds: 1 });
    expect(await shortest.read.epochSeconds()).to.equal(1);
    expect(await shortest.read.genesis()).to.equal(epoch.genesis);
    const full = await token(10n, 10n);
    expect([await full.read.totalSupply(), await full.read.cap()]).to.deep.equal([10n, 10n]);
    expect(await (await token(10n, 0n)).read.totalSupply()).to.equal(0n);
    expect(await (await token(10n, 1n)).read.totalSupply()).to.equal(1n);
  });

  it("of rewards that are set twice before the genesis count from the first epoch", async () => {
    const market = await loadMarket();
    const genesis = (await market.time.latest()) + hour;
    const pomc = await make(market).pomc({ genesis });
    const terms = packTerms(defaultTerms({ slotSeconds: 60 }));
    for (const bondDays of [8, 9]) {
      await pomc.write.setTerms([{ ...terms, bondDays }]);
      const [fromEpoch, newest] = await pomc.read.newestTerms();
      expect([fromEpoch, newest.bondDays]).to.deep.equal([1n, bondDays]);
    }
  });

  it("are returned by the contracts unchanged", async () => {
    const { deployment, computeNode, docker, escrow, measure, people, pomc, time } = await loadMarket();
    const { parameters } = deployment;
    expect(await computeNode.read.slotSeconds()).to.equal(BigInt(parameters.slotSeconds));
    expect(await computeNode.read.heartbeatWindowSlots()).to.equal(60n);
    expect(await computeNode.read.uptimeDelay()).to.equal(parameters.uptimeDelay);
    expect(await computeNode.read.exitPauseSeconds()).to.equal(7 * 86_400);
    expect(await computeNode.read.isUptimePoster([people.poster])).to.equal(true);
    expect(await computeNode.read.isUptimePoster([people.outsider])).to.equal(false);
    expect(await docker.read.clockMarginSeconds()).to.equal(parameters.clockMarginSeconds);
    const { lossBasisPoints: basisPoints, lossFloor: floor, lossSilenceSeconds: silenceSeconds } = parameters;
    expect(await docker.read.lossTerms()).to.deep.equal({ basisPoints, floor, silenceSeconds });
    expect(await escrow.read.feeBasisPoints()).to.equal(parameters.feeBasisPoints);
    const { minSeconds, lockFloor, rateFloor, startSeconds, restSeconds, refundDays, feeBasisPoints } =
      parameters;
    const terms = { minSeconds, lockFloor, rateFloor, startSeconds, restSeconds, refundDays, feeBasisPoints };
    expect(await escrow.read.terms()).to.deep.equal(terms);
    expect(await measure.read.quorum()).to.equal(parameters.quorum);
    expect(await measure.read.leadSeconds()).to.equal(parameters.measureLeadSeconds);
    expect(await measure.read.windowSeconds()).to.equal(parameters.measureWindowSeconds);
    expect(await measure.read.ttlSeconds()).to.equal(parameters.measureTtlSeconds);
    expect(await pomc.read.epochSeconds()).to.equal(parameters.epochSeconds);
    expect(await pomc.read.activationDelay()).to.equal(parameters.activationDelay);
    expect(await pomc.read.emissionPerEpoch()).to.equal(parameters.emissionPerEpoch);
    // Zero: epochs count from the deployment.
    expect(await pomc.read.genesis()).to.be.within((await time.latest()) - 600, await time.latest());
  });

  it("let a window reach before the first slot", async () => {
    const market = await loadMarket();
    const early = await make(market).computeNode({
      slotSeconds: 10n ** 9n,
      windowSlots: 60n,
      daySeconds: 10n ** 9n,
    });
    await early.write.setHeartbeatCommitter([market.people.committer, true]);
    const account = { account: market.people.committer };
    await early.write.commitHeartbeats([0n, 1, 0, "0x"], account);
    expect(await early.read.heartbeatHash([0n])).to.not.match(/^0x0+$/);
  });

  it("of an unlimited emission still limit totals to an epoch's width", async () => {
    const market = await loadMarket();
    const most = 2n ** 96n - 1n;
    const endless = await make(market).pomc({ emissionPerEpoch: most });
    await endless.write.setPoster([market.people.poster]);
    const post = (total: bigint) =>
      endless.write.postEpoch([9n, `0x${"ab".repeat(20)}`, total, `0x${"0".repeat(64)}`], {
        account: market.people.poster,
      });
    await expectRevert(post(most + 1n), "EpochScheduleExceeded", { total: most + 1n, limit: most });
    await post(most);
  });
});
