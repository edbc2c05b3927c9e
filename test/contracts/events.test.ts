import { expect } from "chai";
import { type Abi, parseEventLogs, type TransactionReceipt, toFunctionSelector } from "viem";
import {
  computeNodeAbi,
  dockerContractAbi,
  escrowAbi,
  measureAbi,
  pausesAbi,
  pomcAbi,
} from "../../services/shared/chain/generated/abi.ts";
import { loadMarket } from "./support/market.ts";
import { addMeasurer, finalize, loadMeasure, requestRound, result, reveal } from "./support/measure.ts";
import { zeroAddress } from "./support/refusals.ts";
import { authorizationOf, deposit, loadPartner, partner, signAuthorization } from "./support/workspaces.ts";

/** Names and values of the events of a contract that a transaction emitted. */
function eventsOf(abi: Abi, receipt: TransactionReceipt): unknown[] {
  return parseEventLogs({ abi, logs: receipt.logs }).map(({ eventName, args }) => [eventName, args]);
}

describe("Events", () => {
  it("tell whom a role was given to or taken from, and which contract was set", async () => {
    const { computeNode, docker, escrow, measure, pomc, mined, people } = await loadMarket();
    const [account, other] = [people.outsider, people.owner];
    for (const allowed of [true, false]) {
      const args = { account, allowed };
      expect(
        eventsOf(computeNodeAbi, await mined(computeNode.write.setHeartbeatCommitter([account, allowed]))),
      ).to.deep.equal([["HeartbeatCommitterSet", args]]);
      expect(
        eventsOf(computeNodeAbi, await mined(computeNode.write.setUptimePoster([account, allowed]))),
      ).to.deep.equal([["UptimePosterSet", args]]);
      expect(
        eventsOf(dockerContractAbi, await mined(docker.write.setKeeper([account, allowed]))),
      ).to.deep.equal([["KeeperSet", args]]);
      expect(
        eventsOf(measureAbi, await mined(measure.write.setMeasureKeeper([account, allowed]))),
      ).to.deep.equal([["MeasureKeeperSet", args]]);
    }
    expect(eventsOf(computeNodeAbi, await mined(computeNode.write.setMeasure([other])))).to.deep.equal([
      ["MeasureSet", { measure: other }],
    ]);
    expect(eventsOf(escrowAbi, await mined(escrow.write.setDocker([other])))).to.deep.equal([
      ["DockerSet", { docker: other }],
    ]);
    expect(eventsOf(pomcAbi, await mined(pomc.write.setPoster([account])))).to.deep.equal([
      ["PosterSet", { poster: account }],
    ]);
  });

  it("tell who paused which functions", async () => {
    const { escrow, mined, people } = await loadMarket();
    const selectors = ["deposit(address,uint128)", "withdraw(uint128,address)"].map(toFunctionSelector);
    const receipt = await mined(escrow.write.pause([selectors], { account: people.guardian }));
    expect(eventsOf(pausesAbi, receipt)).to.deep.equal([
      ["FunctionsPaused", { caller: people.guardian, selectors }],
    ]);
  });

  it("tell whose deposit came from whom and went to whom", async () => {
    const { escrow, token, mined, people } = await loadMarket();
    await token.write.approve([escrow.address, 100n], { account: people.treasury });
    const given = await mined(escrow.write.deposit([people.owner, 100n], { account: people.treasury }));
    expect(eventsOf(escrowAbi, given)).to.deep.include([
      "Deposited",
      { account: people.owner, from: people.treasury, amount: 100n },
    ]);
    const taken = await mined(escrow.write.withdraw([40n, people.outsider], { account: people.owner }));
    expect(eventsOf(escrowAbi, taken)).to.deep.include([
      "Withdrawn",
      { account: people.owner, to: people.outsider, amount: 40n },
    ]);
  });

  it("tell every term of an authorization, and its end", async () => {
    const market = await loadMarket();
    const { escrow, mined, people, connection } = market;
    await deposit(market, partner.address, 10n);
    const { nonce, ...terms } = { ...authorizationOf(market), scope: `0x${"5c".repeat(32)}` as const };
    const message = { ...terms, nonce };
    const signature = await signAuthorization(market, message);
    const receipt = await mined(escrow.write.authorize([message, signature], { account: people.outsider }));
    expect(eventsOf(escrowAbi, receipt)).to.deep.equal([["Authorized", { authorizationId: 1n, ...terms }]]);
    await connection.networkHelpers.impersonateAccount(partner.address);
    await connection.networkHelpers.setBalance(partner.address, 10n ** 18n);
    const revoked = await mined(escrow.write.revoke([1n], { account: partner.address }));
    expect(eventsOf(escrowAbi, revoked)).to.deep.equal([["AuthorizationRevoked", { authorizationId: 1n }]]);
  });

  it("tell who measures, each result and what a round came to", async () => {
    const market = await loadMeasure();
    const { key, wallet } = { key: "m", wallet: market.people.outsider };
    const registered = await addMeasurer(market, key, wallet);
    const measurer = (await market.measure.read.measurerOf([1]))[0];
    expect(eventsOf(measureAbi, registered)).to.deep.equal([
      ["MeasurerRegistered", { measurerId: 1, key: measurer, wallet, region: "0x4445" }],
      ["MeasurerAdmissionSet", { measurerId: 1, admitted: true }],
    ]);
    expect(wallet).to.not.equal(zeroAddress);
    const round = await requestRound(market);
    const [drawn] = round.drawn;
    if (drawn === undefined) throw new Error("Nobody was drawn.");
    await market.time.increaseTo(round.opensAt);
    const { roundId } = round;
    const revealed = await reveal(market, key, round, drawn);
    expect(eventsOf(measureAbi, revealed)).to.deep.equal([
      ["MeasureSubmitted", { roundId, nodeId: 1, measurerId: 1, port: drawn.port, result }],
    ]);
    const finalized = await finalize(market, roundId);
    const expiresAt = (await market.time.latest()) + market.deployment.parameters.measureTtlSeconds;
    expect(eventsOf(measureAbi, finalized)).to.deep.equal([
      ["MeasureFinalized", { roundId, nodeId: 1, submissions: 1, median: result, expiresAt }],
    ]);
  });
});

describe("The last second", () => {
  it("of an authorization is its delegate's still", async () => {
    const market = await loadPartner();
    const { escrow, people, time } = market;
    const expiry = (await time.latest()) + 1_000;
    const message = { ...authorizationOf(market), expiry, nonce: 2n };
    const signature = await signAuthorization(market, message);
    await escrow.write.authorize([message, signature]);
    const maySpend = () => escrow.read.maySpend([2n, people.delegate]);
    await time.increaseTo(expiry);
    expect(await maySpend()).to.equal(true);
    await time.increaseTo(expiry + 1);
    expect(await maySpend()).to.equal(false);
    expect(await escrow.read.maySpend([2n, partner.address])).to.equal(true);
  });

  it("of a round's window is open still, and the next one ends it", async () => {
    const market = await loadMeasure("three");
    const round = await requestRound(market);
    const names = async () => {
      const receipt = await finalize(market, round.roundId);
      return eventsOf(measureAbi, receipt).map((event) => (event as [string])[0]);
    };
    await market.time.setNextBlockTimestamp(round.closesAt);
    expect(await names()).to.deep.equal(["ItemRefused"]);
    await market.time.setNextBlockTimestamp(round.closesAt + 1);
    expect(await names()).to.deep.equal(["MeasureFailed"]);
  });
});
