import { expect } from "chai";
import { encodeAbiParameters, type Hex, keccak256, parseEventLogs } from "viem";
import { measureAbi } from "../../services/shared/chain/generated/abi.ts";
import { domainOf, measurerRegistrationTypes, revealTypes } from "../../services/shared/chain/typedData.ts";
import { noteGas, printGas } from "./support/gas.ts";
import { keyOf, later, type MarketFixture } from "./support/market.ts";
import { bindWallet } from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf, zeroAddress } from "./support/refusals.ts";
import { loadPartner } from "./support/workspaces.ts";

const result = {
  downMbps: 940,
  upMbps: 910,
  latencyTenthMs: 12,
  portsReachable: 3,
  diskFreeGib: 800,
  diskWriteMibps: 1_200,
};
const salt = keccak256("0x5a");

async function addMeasurer(market: MarketFixture, name: string, wallet: Hex = zeroAddress) {
  const message = { key: keyOf(name).address, wallet, region: "0x4445" as Hex, deadline: later };
  const signature = await keyOf(name).signTypedData({
    domain: domainOf(market.deployment, "Measure"),
    types: measurerRegistrationTypes,
    primaryType: "MeasurerRegistration",
    message,
  });
  return market.mined(market.measure.write.registerMeasurerBatch([[message], [signature]]));
}

function commitmentOf(roundId: bigint, measurerId: number, port = 4_000): Hex {
  return keccak256(
    encodeAbiParameters(
      [{ type: "uint64" }, { type: "uint32" }, { type: "uint16" }, { type: "bytes32" }],
      [roundId, measurerId, port, salt],
    ),
  );
}

async function request(market: MarketFixture, nodeId = 1) {
  const receipt = await market.mined(
    market.measure.write.request([[nodeId]], { account: market.people.keeper }),
  );
  const [log] = parseEventLogs({ abi: measureAbi, logs: receipt.logs, eventName: "MeasureRequested" });
  if (log === undefined) throw new Error("No round was announced.");
  return log.args;
}

async function commit(market: MarketFixture, roundId: bigint, ...measurerIds: number[]) {
  const commits = measurerIds.map((id) => ({ roundId, commitment: commitmentOf(roundId, id) }));
  return market.mined(market.measure.write.commitBatch([commits], { account: market.people.keeper }));
}

async function reveal(
  market: MarketFixture,
  name: string,
  roundId: bigint,
  measurerId: number,
  changes: object = {},
) {
  const message = { roundId, measurerId, port: 4_000, salt, result, deadline: later, ...changes };
  const signature = await keyOf(name).signTypedData({
    domain: domainOf(market.deployment, "Measure"),
    types: revealTypes,
    primaryType: "Reveal",
    message,
  });
  return market.mined(market.measure.write.revealBatch([[message], [signature]]));
}

const finalize = (market: MarketFixture, roundId: bigint) =>
  market.mined(market.measure.write.finalize([[roundId]]));

describe("Measure", () => {
  after(printGas);

  it("registers a measurer's key once", async () => {
    const market = await loadPartner();
    await addMeasurer(market, "m");
    expect(await market.measure.read.measurerIdOf([keyOf("m").address])).to.equal(1);
    expectRefused(await addMeasurer(market, "m"), "MeasurerKeyTaken", { measurerId: 1 });
  });

  it("announces a window, binds the draw before it, and publishes what was revealed in it", async () => {
    const market = await loadPartner();
    await addMeasurer(market, "m");
    const { roundId, opensAt, closesAt } = await request(market);
    expect([opensAt, closesAt - opensAt]).to.deep.equal([(await market.time.latest()) + 10, 300]);
    expect(refusalsOf(await commit(market, roundId, 1))).to.deep.equal([]);
    expectRefused(await reveal(market, "m", roundId, 1), "MeasureRoundNotOpen", { roundId, opensAt });
    await market.time.increaseTo(opensAt);
    expectRefused(await commit(market, roundId, 2), "MeasureCommitLate", { roundId, opensAt });
    expectRefused(await finalize(market, roundId), "MeasureRoundOpen", { closesAt });
    const revealed = await reveal(market, "m", roundId, 1);
    expect(refusalsOf(revealed)).to.deep.equal([]);
    noteGas("a measurement revealed", revealed);
    const receipt = await finalize(market, roundId);
    noteGas("a round finalized", receipt);
    const expiresAt = (await market.time.latest()) + 86_400;
    expect(await market.measure.read.latestOf([1])).to.deep.equal([result, expiresAt]);
    expectRefused(await finalize(market, roundId), "MeasureRoundFinalized", { roundId });
  });

  it("publishes the median of each field", async () => {
    const market = await loadPartner();
    const names = ["m1", "m2", "m3", "m4", "m5"];
    for (const name of names) await addMeasurer(market, name);
    const { roundId, opensAt } = await request(market);
    await commit(market, roundId, 1, 2, 3, 4, 5);
    await market.time.increaseTo(opensAt);
    const downs = [500, 100, 900, 300, 700];
    const ports = [1, 5, 2, 4, 3];
    for (const [place, name] of names.entries()) {
      const measured = { ...result, downMbps: downs[place] ?? 0, portsReachable: ports[place] ?? 0 };
      await reveal(market, name, roundId, place + 1, { result: measured });
      if (place === 3) {
        // Not even one who has the quorum can leave out a result that is still to come.
        expectRefused(await finalize(market, roundId), "MeasureRoundOpen", { roundId });
      }
    }
    await finalize(market, roundId);
    const [median] = await market.measure.read.latestOf([1]);
    expect(median).to.deep.equal({ ...result, downMbps: 500, portsReachable: 3 });
  });

  it("goes on without those who never revealed once the window is over, but not below its quorum", async () => {
    const market = await loadPartner();
    await addMeasurer(market, "m1");
    const lonely = await request(market);
    const empty = await request(market);
    await commit(market, lonely.roundId, 1, 2);
    await market.time.increaseTo(lonely.opensAt + 5);
    await reveal(market, "m1", lonely.roundId, 1);
    await market.time.increaseTo(empty.closesAt + 1);
    expect(refusalsOf(await finalize(market, lonely.roundId))).to.deep.equal([]);
    expectRefused(await finalize(market, empty.roundId), "MeasureQuorumMissing", {
      submissions: 0,
      quorum: 1,
    });
  });

  it("refuses a result that was not drawn, twice, altered, late, or of a measurer that is unknown", async () => {
    const market = await loadPartner();
    await addMeasurer(market, "m");
    await addMeasurer(market, "other");
    const { roundId, opensAt, closesAt } = await request(market);
    await commit(market, roundId, 1, 9);
    await market.time.increaseTo(opensAt);
    expectRefused(await reveal(market, "other", roundId, 2), "MeasureCommitmentUnknown", { roundId });
    expectRefused(await reveal(market, "m", roundId, 1, { port: 1 }), "MeasureCommitmentUnknown");
    expectRefused(await reveal(market, "other", roundId, 1), "SignatureInvalid", {
      signer: keyOf("m").address,
    });
    expectRefused(await reveal(market, "m", roundId, 9), "MeasurerUnknown", { measurerId: 9 });
    expectRefused(await reveal(market, "m", 99n, 1), "MeasureRoundUnknown", { roundId: 99n });
    await reveal(market, "m", roundId, 1);
    expectRefused(await reveal(market, "m", roundId, 1), "MeasureSubmittedAlready", { measurerId: 1 });
    await market.time.increaseTo(closesAt + 1);
    expectRefused(await reveal(market, "m", roundId, 9), "MeasureRoundClosed", { closesAt });
  });

  it("never lets an operator measure its own node", async () => {
    const market = await loadPartner();
    const { nodes } = market;
    await addMeasurer(market, "node one");
    await addMeasurer(market, "paid to the node", nodes.first.key.address);
    await addMeasurer(market, "paid to its wallet", keyOf("wallet").address);
    await bindWallet(market, nodes.first, keyOf("wallet").address);
    const { roundId, opensAt } = await request(market);
    await commit(market, roundId, 1, 2, 3);
    await market.time.increaseTo(opensAt);
    for (const [name, measurerId] of [
      ["node one", 1],
      ["paid to the node", 2],
      ["paid to its wallet", 3],
    ] as const) {
      const receipt = await reveal(market, name, roundId, measurerId);
      expectRefused(receipt, "MeasureOwnNode", { measurerId, nodeId: 1 });
    }
  });

  it("bounds the draws of a round, and takes a draw once", async () => {
    const market = await loadPartner();
    const { roundId } = await request(market);
    expectRefused(await commit(market, roundId, 1, 1), "MeasureCommitmentTaken", { roundId });
  });

  it("refuses the ninth draw of a round", async () => {
    const market = await loadPartner();
    const { roundId } = await request(market);
    const receipt = await commit(market, roundId, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    expect(refusalsOf(receipt)).to.deep.equal([
      { index: 8, name: "MeasureCommitmentFull", args: { roundId, limit: 8n } },
    ]);
  });

  it("is asked for by keepers, of nodes there are", async () => {
    const market = await loadPartner();
    const { measure, people, mined } = market;
    await expectRevert(measure.write.request([[1]], { account: people.outsider }), "CallerNotMeasureKeeper", {
      caller: people.outsider,
    });
    await expectRevert(
      measure.write.commitBatch([[]], { account: people.outsider }),
      "CallerNotMeasureKeeper",
    );
    const receipt = await mined(measure.write.request([[7]], { account: people.keeper }));
    expectRefused(receipt, "MeasureNodeUnknown", { nodeId: 7 });
  });
});
