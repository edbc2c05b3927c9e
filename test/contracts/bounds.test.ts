import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { domainOf, progressReportTypes } from "@ngpu/contracts-sdk/typedData";
import { claimTreeOf } from "@ngpu/protocol/claimTree";
import { packProgress } from "@ngpu/protocol/packedReports";
import { expect } from "chai";
import { type Hex, keccak256, slice } from "viem";
import { keyOf, later, loadMarket, type MarketFixture } from "./support/market.ts";
import { addMeasurer, finalize, loadMeasure, requestRound, reveal } from "./support/measure.ts";
import { addNodes, nodeSpec, registrationOf, signRegistration } from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf, zeroAddress } from "./support/reverts.ts";
import {
  assign,
  authorize,
  loadPartner,
  partner,
  place,
  publish,
  report,
  state,
} from "./support/workspaces.ts";

const dataHash = keccak256("0xda");
const someRoot = slice(dataHash, 0, 20);

async function endOfEpoch(market: MarketFixture, number: number): Promise<void> {
  const { genesis, epochSeconds } = market.deployment.parameters;
  await market.time.increaseTo(genesis + number * epochSeconds);
}

describe("Bounds: the last second", () => {
  it("of an authorization is still valid for its delegate, and the next one is not", async () => {
    const market = await loadPartner();
    const expiry = (await market.time.latest()) + 1_000;
    const id = await authorize(market, { nonce: 9n, expiry });
    const { delegate, outsider } = market.people;
    await market.time.increaseTo(expiry);
    expect(await market.escrow.read.maySpend([id, delegate])).to.equal(true);
    expect(await market.escrow.read.maySpend([id, outsider])).to.equal(false);
    await market.time.increaseTo(expiry + 1);
    expect(await market.escrow.read.maySpend([id, delegate])).to.equal(false);
    expect(await market.escrow.read.maySpend([id, partner.address])).to.equal(true);
  });

  it("of an epoch still belongs to it, and the next one does not", async () => {
    const market = await loadMarket();
    const { genesis, epochSeconds } = market.deployment.parameters;
    const call = () =>
      market.pomc.write.postEpoch([1n, someRoot, 1n, dataHash], { account: market.people.poster });
    await market.time.setNextBlockTimestamp(genesis + epochSeconds - 1);
    await expectRevert(call(), "EpochNotOver", { number: 1n });
    await market.time.setNextBlockTimestamp(genesis + epochSeconds);
    await market.mined(call());
    expect(await market.pomc.read.lastEpoch()).to.equal(1n);
  });

  it("of a round's window still belongs to the measurers: it is finalized a second later", async () => {
    const market = await loadMeasure("three");
    for (const name of ["m1", "m2", "m3"]) await addMeasurer(market, name);
    const round = await requestRound(market);
    const [first] = round.drawn;
    if (first === undefined) throw new Error("No measurer was drawn.");
    await market.time.increaseTo(round.opensAt);
    const name = `m${first.measurerId}`;
    expect(refusalsOf(await reveal(market, name, round, first))).to.deep.equal([]);
    await market.time.setNextBlockTimestamp(round.closesAt);
    const { roundId, closesAt } = round;
    expectRefused(await finalize(market, roundId), "MeasureRoundOpen", { roundId, closesAt });
    const receipt = await finalize(market, roundId);
    expect(refusalsOf(receipt)).to.deep.equal([]);
  });
});

describe("Bounds: the last unit", () => {
  it("of a genesis supply is minted, and none without a supply", async () => {
    const { connection, client, deployment, people } = await loadMarket();
    for (const genesis of [1n, 0n]) {
      const args = [deployment.contracts.AccessManager, people.treasury, 100n, genesis];
      const { address } = await connection.viem.deployContract("Token", args);
      const supply = { address, abi: tokenAbi, functionName: "totalSupply" } as const;
      expect(await client.readContract(supply)).to.equal(genesis);
    }
  });

  it("of a running lease is owed for its first second, and a resting one owes nothing", async () => {
    const market = await loadPartner();
    const { escrow, time } = market;
    const placed = await place(market);
    // Longer than the deposit lasts.
    await time.increase(5_000);
    await escrow.write.settle([[placed.ref]]);
    expect(await escrow.read.totalSpentBy([partner.address])).to.equal(0n);
    expect(await escrow.read.isOpen([placed.ref])).to.equal(true);
    await report(market, placed, state.running, 1);
    const since = await time.latest();
    await time.setNextBlockTimestamp(since + 1);
    await escrow.write.settle([[placed.ref]]);
    expect(await escrow.read.totalSpentBy([partner.address])).to.equal(1_000n);
  });
});

describe("Bounds: amounts are subtracted", () => {
  it("of an authorization's total, by each settlement", async () => {
    const market = await loadPartner();
    const { escrow, time } = market;
    const [, , , total] = await escrow.read.authorizationOf([1n]);
    const placed = await place(market);
    await report(market, placed, state.running, 1);
    const since = await time.latest();
    for (const seconds of [30, 70]) {
      await time.setNextBlockTimestamp(since + seconds);
      await escrow.write.settle([[placed.ref]]);
      const [, , , remaining] = await escrow.read.authorizationOf([1n]);
      // Besides the lock of its lease, which is a second at the rate.
      expect(total - remaining).to.equal(1_000n + 1_000n * BigInt(seconds));
    }
  });

  it("of GPUs nothing: a label that another node gave blocks no registration", async () => {
    const market = await loadMarket();
    const own = keccak256("0x01");
    const other = keccak256("0x02");
    const spec = { ...nodeSpec, total: { ...nodeSpec.total, gpus: 2 } };
    await addNodes(market, ["holder"], { gpuUuids: [own] });
    const register = async (name: string, gpuUuids: Hex[]) => {
      const total = { ...spec.total, gpus: gpuUuids.length };
      const message = { ...registrationOf(keyOf(name)), spec: { ...spec, total }, gpuUuids };
      const signature = await signRegistration(market, keyOf(name), message);
      return market.mined(market.computeNode.write.registerBatch([[message], [signature]]));
    };
    for (const name of ["first", "second"]) {
      expect(refusalsOf(await register(name, [other, own]))).to.deep.equal([]);
    }
    expect(refusalsOf(await register("third", [other, other]))).to.deep.equal([]);
  });
});

describe("Bounds: many at once", () => {
  it("of a multiproof leaves memory for all payments", async () => {
    const market = await loadMarket();
    const accounts = Array.from({ length: 40 }, (_, place) => keyOf(`paid ${place}`).address);
    const tree = claimTreeOf(accounts.map((account) => ({ account, cumulative: 3n })));
    await endOfEpoch(market, 1);
    await market.pomc.write.postEpoch([1n, tree.root, 120n, dataHash], { account: market.people.poster });
    await market.time.increase(600);
    const { grants, proof, flags } = tree.manyOf(accounts.map((_, place) => place));
    const receipt = await market.mined(market.pomc.write.claimMany([1n, grants, proof, flags]));
    // The event has each grant in full, and the proof in memory next to it was not overwritten.
    const said = receipt.logs.at(-1)?.data ?? "0x";
    for (const grant of grants) expect(said).to.include(grant.slice(2).toLowerCase());
    for (const account of accounts) expect(await market.token.read.balanceOf([account])).to.equal(3n);
  });
});

describe("Bounds: groups and codes", () => {
  it("of milestones: each workspace and replica has its own, independent of its neighbours", async () => {
    const market = await loadPartner();
    const placed = [];
    for (let one = 0; one < 7; one += 1) {
      const { workspaceId, spec } = await publish(market, {
        resources: { gpus: 0, cpuMilli: 100, memoryMib: 128, diskGib: 1, ports: 0 },
      });
      for (const replica of [0, 1]) {
        await assign(market, [{ workspaceId, replica, nodeId: 1, start: false, spec }]);
        const { fence } = await market.docker.read.assignmentOf([workspaceId, replica]);
        placed.push({ workspaceId, replica, lease: 1, fence, milestone: 1 + ((one + replica) % 4) });
      }
    }
    for (const message of placed) {
      const signature = await market.nodes.first.key.signTypedData({
        domain: domainOf(market.deployment, "Progress"),
        types: progressReportTypes,
        primaryType: "ProgressReport",
        message: { ...message, deadline: later },
      });
      const receipt = await market.mined(
        market.progress.write.reportBatch([[packProgress({ ...message, deadline: later }, signature)]]),
      );
      expect(refusalsOf(receipt)).to.deep.equal([]);
    }
    for (const { workspaceId, replica, milestone } of placed) {
      expect(await market.progress.read.milestoneOf([workspaceId, replica])).to.deep.equal([1, milestone]);
    }
  });

  it("of an image's size: one byte is valid, none is not", async () => {
    const { docker } = await loadMarket();
    const digest = keccak256("0x09");
    const root = keccak256("0x0a");
    await expectRevert(docker.write.registerImage([digest, 0n, root, "x"]), "ImageInvalid");
    await docker.write.registerImage([digest, 1n, root, "x"]);
    expect(await docker.read.imageOwnerOf([digest])).to.not.equal(zeroAddress);
  });
});
