import { expect } from "chai";
import { messages } from "./support/messages.ts";
import { expectRefused, refusalsOf, zeroHash } from "./support/reverts.ts";
import { loadPartner } from "./support/workspaces.ts";

async function loadRound() {
  const market = await loadPartner();
  const signed = await messages.revealTypes?.(market);
  if (signed === undefined) throw new Error("There is no reveal.");
  const { domain, types, primaryType, second } = signed;
  const reveal = async (message = signed.message, signer = signed.signer) => {
    const signature = await signer.signTypedData({ domain, types, primaryType, message });
    return signed.send(message, signature, market.people.outsider);
  };
  return { ...market, signed, second, reveal };
}

describe("Measure: rounds", () => {
  it("log their window, draws, results and measurers", async () => {
    const { measure, deployment, reveal, signed, second, time } = await loadRound();
    const [nodeId, opensAt, closesAt, , submissions] = await measure.read.roundOf([1n]);
    expect([nodeId, submissions]).to.deep.equal([1, 0]);
    expect(await measure.read.draws()).to.equal(8);
    expect(closesAt - opensAt).to.equal(deployment.parameters.measureWindowSeconds);
    await reveal();
    await reveal(second.message, second.signer);
    expect((await measure.read.roundOf([1n]))[4]).to.equal(2);
    await time.increaseTo(closesAt + 1);
    await measure.write.finalize([[1n]]);
    expect(await measure.read.roundOf([1n])).to.deep.equal([0, 0, 0, 0, 0, zeroHash]);
    expect(await measure.read.measurerIdOf([signed.signer.address])).to.equal(1);
    expect((await measure.read.measurerOf([2]))[0]).to.equal(second.signer.address);
    expect((await measure.read.latestOf([1]))[0].downMbps).to.equal(940);
  });

  it("refuse results of an unknown round, or of one that has ended", async () => {
    const { measure, mined, reveal, second, signed, time } = await loadRound();
    const [, , closesAt] = await measure.read.roundOf([1n]);
    for (const roundId of [0n, 9n]) {
      expectRefused(await mined(measure.write.finalize([[roundId]])), "MeasureRoundUnknown", { roundId });
    }
    expectRefused(await reveal({ ...signed.message, roundId: 9n }), "MeasureRoundUnknown", { roundId: 9n });
    expectRefused(await mined(measure.write.finalize([[1n]])), "MeasureRoundOpen", { roundId: 1n });
    await reveal();
    expectRefused(await mined(measure.write.finalize([[1n]])), "MeasureRoundOpen", { roundId: 1n });
    await reveal(second.message, second.signer);
    await time.increaseTo(closesAt + 1);
    await measure.write.finalize([[1n]]);
    expectRefused(await reveal(), "MeasureRoundEnded", { roundId: 1n });
    expectRefused(await mined(measure.write.finalize([[1n]])), "MeasureRoundEnded", { roundId: 1n });
  });

  it("accept results until the last second of their window", async () => {
    const { measure, reveal, second, time } = await loadRound();
    const [, , closesAt] = await measure.read.roundOf([1n]);
    await time.setNextBlockTimestamp(closesAt);
    expect(refusalsOf(await reveal())).to.deep.equal([]);
    expectRefused(await reveal(second.message, second.signer), "MeasureRoundClosed", { closesAt });
  });
});
