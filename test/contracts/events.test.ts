import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { defaultTerms } from "@ngpu/rewards/defaultTerms";
import { packTerms } from "@ngpu/rewards/terms";
import { expect } from "chai";
import { type Hex, keccak256, zeroAddress, zeroHash } from "viem";
import { eventsOf } from "./support/events.ts";
import { keyOf, loadMarket, type MarketFixture } from "./support/market.ts";
import { addMeasurer, finalize, loadMeasure, requestRound, result, reveal } from "./support/measure.ts";
import {
  assign,
  authorizationOf,
  leaseClock,
  loadPartner,
  place,
  publish,
  report,
  signAuthorization,
  state,
} from "./support/workspaces.ts";

/** All events of a transaction. */
async function said(market: MarketFixture, call: Promise<Hex>) {
  const { computeNode, docker, progress, measure, escrow, pomc, token } = market;
  const contracts = { computeNode, docker, progress, measure, escrow, pomc, token };
  return eventsOf(await market.mined(call), contracts);
}

describe("Events: an act emits all of its changes, with every value in its field", () => {
  it("of permissions", async () => {
    const market = await loadMarket();
    const { computeNode, docker, measure, pomc, token, people } = market;
    const account = people.outsider;
    const other = people.keeper;
    for (const allowed of [true, false]) {
      expect(await said(market, computeNode.write.setHeartbeatCommitter([account, allowed]))).to.deep.equal([
        { of: "computeNode", name: "HeartbeatCommitterSet", args: { account, allowed } },
      ]);
      const signer = { account: other, allowed };
      expect(await said(market, computeNode.write.setHeartbeatAcknowledger([other, allowed]))).to.deep.equal([
        { of: "computeNode", name: "HeartbeatAcknowledgerSet", args: signer },
      ]);
      const agreeing = keyOf("a cosigner").address;
      expect(await said(market, computeNode.write.setHeartbeatCosigner([agreeing, allowed]))).to.deep.equal([
        { of: "computeNode", name: "HeartbeatCosignerSet", args: { account: agreeing, allowed } },
      ]);
      expect(await said(market, computeNode.write.setUptimePoster([account, allowed]))).to.deep.equal([
        { of: "computeNode", name: "UptimePosterSet", args: { account, allowed } },
      ]);
      expect(await said(market, docker.write.setKeeper([account, allowed]))).to.deep.equal([
        { of: "docker", name: "KeeperSet", args: { account, allowed } },
      ]);
      const stater = keyOf("a witness").address;
      expect(await said(market, docker.write.setWitness([stater, allowed]))).to.deep.equal([
        { of: "docker", name: "WitnessSet", args: { account: stater, allowed } },
      ]);
      expect(await said(market, measure.write.setMeasureKeeper([account, allowed]))).to.deep.equal([
        { of: "measure", name: "MeasureKeeperSet", args: { account, allowed } },
      ]);
    }
    expect(await said(market, pomc.write.setPoster([other]))).to.deep.equal([
      { of: "pomc", name: "PosterSet", args: { poster: other } },
    ]);
    expect(await said(market, pomc.write.setReceiptsPoster([account]))).to.deep.equal([
      { of: "pomc", name: "ReceiptsPosterSet", args: { poster: account } },
    ]);
    const third = keyOf("a watcher").address;
    for (const allowed of [true, false]) {
      expect(await said(market, pomc.write.setWatcher([third, allowed]))).to.deep.equal([
        { of: "pomc", name: "WatcherSet", args: { account: third, allowed } },
      ]);
    }
    const terms = packTerms(defaultTerms({ slotSeconds: 60 }));
    expect(await said(market, pomc.write.setTerms([terms]))).to.deep.equal([
      { of: "pomc", name: "TermsSet", args: { fromEpoch: 2n, terms } },
    ]);
    expect(await said(market, token.write.setMinter([account, 9n]))).to.deep.equal([
      { of: "token", name: "MinterSet", args: { minter: account, limit: 9n } },
    ]);
  });

  it("of deposits, authorizations and withdrawals", async () => {
    const market = await loadMarket();
    const { escrow, token, people } = market;
    const { owner, treasury, outsider } = people;
    await token.write.approve([escrow.address, 7n], { account: treasury });
    expect(await said(market, escrow.write.deposit([owner, 7n], { account: treasury }))).to.deep.equal([
      { of: "escrow", name: "Deposited", args: { account: owner, from: treasury, amount: 7n } },
      { of: "token", name: "Transfer", args: { from: treasury, to: escrow.address, value: 7n } },
    ]);
    expect(await said(market, escrow.write.withdraw([3n, outsider], { account: owner }))).to.deep.equal([
      { of: "escrow", name: "Withdrawn", args: { account: owner, to: outsider, amount: 3n } },
      { of: "token", name: "Transfer", args: { from: escrow.address, to: outsider, value: 3n } },
    ]);
    const { nonce: _, ...message } = { ...authorizationOf(market), scope: keccak256("0x05") };
    const signature = await signAuthorization(market, { ...message, nonce: 4n });
    expect(await said(market, escrow.write.authorize([{ ...message, nonce: 4n }, signature]))).to.deep.equal([
      { of: "escrow", name: "Authorized", args: { authorizationId: 1n, ...message } },
    ]);
  });

  it("of a lease from its opening to its end", async () => {
    const market = await loadPartner();
    const { escrow, docker, people, time } = market;
    const lease = { workspaceId: 1n, nodeId: 1, replica: 0, lease: 1 };
    const placed = await place(market);
    const running = eventsOf(await report(market, placed, state.running, 1), { escrow, docker });
    const since = await time.latest();
    expect(running).to.deep.equal([
      {
        of: "docker",
        name: "StateChanged",
        args: { ...lease, state: state.running, sequence: 1, detail: zeroHash },
      },
      { of: "escrow", name: "LeaseClockSet", args: { ...lease, clock: leaseClock.running, since } },
    ]);
    await time.increaseTo(since + 100);
    const settled = await said(market, escrow.write.settle([[placed.ref]], { account: people.outsider }));
    const now = await time.latest();
    expect(settled).to.deep.equal([
      {
        of: "escrow",
        name: "Settled",
        args: { ...lease, amount: 1_000n * BigInt(now - since), fromLock: 0n, settledAt: now },
      },
    ]);
  });

  it("of orders: each names its order", async () => {
    const market = await loadPartner();
    const { docker, people } = market;
    const { workspaceId, spec } = await publish(market);
    await assign(market, [{ workspaceId, replica: 1, nodeId: 2, start: false, spec }]);
    const ref = { workspaceId, replica: 1, lease: 1 };
    const as = { account: people.delegate };
    const ordered = (name: string) => ({ of: "docker", name, args: { ...ref, nodeId: 2 } });
    const stoppedSet = (stopped: boolean) => ({
      of: "docker",
      name: "StoppedSet",
      args: { workspaceId, stopped },
    });
    const { requestStart, requestStop, requestDelete, stopWorkspace, startWorkspace } = docker.write;
    const orders = [
      [() => requestStart([[ref]], as), [ordered("StartRequested")]],
      [() => stopWorkspace([workspaceId, [ref]], as), [stoppedSet(true), ordered("StopRequested")]],
      [() => startWorkspace([workspaceId, [ref]], as), [stoppedSet(false), ordered("StartRequested")]],
      [() => stopWorkspace([workspaceId, []], as), [stoppedSet(true)]],
      [() => requestStop([[ref]], as), [ordered("StopRequested")]],
    ] as const;
    for (const [order, events] of orders) expect(await said(market, order())).to.deep.equal(events);
    const opened = Number((await market.escrow.read.leaseOf([workspaceId, 1]))[4]);
    const deleted = await said(market, requestDelete([[ref]], as));
    const since = await market.time.latest();
    const clock = { ...ref, nodeId: 2, clock: leaseClock.ended, since };
    const amount = 100n * BigInt(since - opened);
    const burned = { from: market.escrow.address, to: zeroAddress, value: amount };
    expect(deleted).to.have.deep.members([
      ordered("DeleteRequested"),
      {
        of: "escrow",
        name: "WaitCharged",
        args: { ...ref, nodeId: 2, amount, waited: since - opened },
      },
      { of: "token", name: "Transfer", args: burned },
      { of: "escrow", name: "LeaseClockSet", args: clock },
    ]);
  });

  it("of rounds and results", async () => {
    const market = await loadMeasure();
    const { measure, computeNode, time } = market;
    expect(eventsOf(await addMeasurer(market, "m"), { measure })).to.deep.equal([
      {
        of: "measure",
        name: "MeasurerRegistered",
        args: { measurerId: 1, key: keyOf("m").address, wallet: zeroAddress, region: "0x4445" },
      },
      { of: "measure", name: "MeasurerAdmissionSet", args: { measurerId: 1, admitted: true } },
    ]);
    const round = await requestRound(market);
    const { roundId } = round;
    const [first] = round.drawn;
    if (first === undefined) throw new Error("No measurer was drawn.");
    await time.increaseTo(round.opensAt);
    expect(eventsOf(await reveal(market, "m", round, first), { measure })).to.deep.equal([
      {
        of: "measure",
        name: "MeasureSubmitted",
        args: { roundId, nodeId: 1, measurerId: 1, port: first.port, result },
      },
    ]);
    const finalized = eventsOf(await finalize(market, roundId), { measure, computeNode });
    expect(finalized).to.deep.equal([
      {
        of: "measure",
        name: "MeasureFinalized",
        args: {
          roundId,
          nodeId: 1,
          median: result,
          submissions: 1,
          expiresAt: (await time.latest()) + market.deployment.parameters.measureTtlSeconds,
        },
      },
    ]);
  });

  it("of an epoch and its claims", async () => {
    const market = await loadMarket();
    const { pomc, people, time, deployment } = market;
    const account = keyOf("rewarded").address;
    const { genesis, epochSeconds, activationDelay } = deployment.parameters;
    await time.increaseTo(genesis + epochSeconds);
    const { root } = claimTreeOf([{ account, cumulative: 10n }]);
    const dataHash = keccak256("0xda");
    const posted = await said(
      market,
      pomc.write.postEpoch([1n, root, 10n, dataHash], { account: people.poster }),
    );
    const postedAt = await time.latest();
    expect(posted).to.deep.equal([
      {
        of: "pomc",
        name: "EpochPosted",
        args: { number: 1n, root, total: 10n, dataHash, activatesAt: postedAt + activationDelay },
      },
    ]);
    const { watcher } = people;
    const activatesAt = postedAt + deployment.parameters.attestedDelay;
    expect(await said(market, pomc.write.attestEpoch([1n, root], { account: watcher }))).to.deep.equal([
      { of: "pomc", name: "EpochAttested", args: { number: 1n, watcher, activatesAt } },
    ]);
    await time.increaseTo(activatesAt);
    expect(await said(market, pomc.write.claim([1n, account, 10n, "0x"]))).to.deep.equal([
      {
        of: "token",
        name: "Transfer",
        args: { from: zeroAddress, to: pomc.address, value: 10n },
      },
      { of: "token", name: "Transfer", args: { from: pomc.address, to: account, value: 10n } },
      { of: "pomc", name: "Claimed", args: { account, cumulative: 10n } },
    ]);
    // A repeat pays nothing and emits nothing.
    expect(await said(market, pomc.write.claim([1n, account, 10n, "0x"]))).to.deep.equal([]);
  });
});
