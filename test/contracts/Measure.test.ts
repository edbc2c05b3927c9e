import { computeNodeAbi, measureAbi } from "@ngpu/contracts-sdk/generated/abi";
import { expect } from "chai";
import { parseEventLogs, zeroHash } from "viem";
import { noteGas, printGas } from "./support/gas.ts";
import type { MarketFixture } from "./support/market.ts";
import {
  absent,
  addMeasurer,
  type Drawn,
  finalize,
  loadMeasure,
  type Round,
  requestDrawing,
  requestRound,
  result,
  reveal,
} from "./support/measure.ts";
import { expectRefused, refusalsOf } from "./support/reverts.ts";

/** The first draw of each measurer that was drawn, by its id. */
function firstDraws(round: Round): Drawn[] {
  return round.drawn.filter(
    (one, place) => place === round.drawn.findIndex((d) => d.measurerId === one.measurerId),
  );
}

/** Measurers m1 to m6 and a round in which `count` of them are drawn. */
async function roundOfMany(market: MarketFixture, count: number) {
  for (let id = 1; id <= 6; id += 1) await addMeasurer(market, `m${id}`);
  const round = await requestDrawing(market, count);
  return { round, drawn: firstDraws(round).slice(0, count) };
}

describe("Measure: rounds", () => {
  after(printGas);

  it("announces a window, and publishes the results revealed in it", async () => {
    const market = await loadMeasure();
    await addMeasurer(market, "m");
    const round = await requestRound(market);
    const requestedAt = Number(
      (await market.client.getBlock({ blockNumber: BigInt(round.drawBlock) - 1n })).timestamp,
    );
    const { roundId, opensAt, closesAt, drawn, root } = round;
    const [first] = drawn as [Drawn];
    expect([opensAt - requestedAt, closesAt - opensAt]).to.deep.equal([10, 300]);
    expect(await market.measure.read.roundOf([roundId])).to.deep.equal([
      1,
      opensAt,
      closesAt,
      round.drawBlock,
      0,
      root,
    ]);
    expectRefused(await reveal(market, "m", round, first), "MeasureRoundNotOpen", { roundId, from: opensAt });
    await market.time.increaseTo(opensAt);
    expectRefused(await finalize(market, roundId), "MeasureRoundOpen", { closesAt });
    const revealed = await reveal(market, "m", round, first);
    expect(refusalsOf(revealed)).to.deep.equal([]);
    noteGas("a measurement revealed", revealed);
    const receipt = await finalize(market, roundId);
    noteGas("a round finalized", receipt);
    const expiresAt = (await market.time.latest()) + 86_400;
    expect(await market.measure.read.latestOf([1])).to.deep.equal([result, expiresAt]);
    expectRefused(await finalize(market, roundId), "MeasureRoundEnded", { roundId });
    expectRefused(await reveal(market, "m", round, first), "MeasureRoundEnded", { roundId });
    expectRefused(await finalize(market, 99n), "MeasureRoundUnknown", { roundId: 99n });
  });

  it("publishes the median of each field, of all drawn measurers while the window is open", async () => {
    const market = await loadMeasure("three");
    const { round, drawn } = await roundOfMany(market, 3);
    await market.time.increaseTo(round.opensAt);
    const downs = [500, 100, 900];
    const ports = [3, 5, 2];
    for (const [place, draw] of drawn.entries()) {
      const measured = { ...result, downMbps: downs[place] ?? 0, portsReachable: ports[place] ?? 0 };
      expect(
        refusalsOf(await reveal(market, `m${draw.measurerId}`, round, draw, { result: measured })),
      ).to.deep.equal([]);
    }
    // Even with a quorum, a result that may still arrive cannot be skipped.
    expectRefused(await finalize(market, round.roundId), "MeasureRoundOpen", { roundId: round.roundId });
    await market.time.increaseTo(round.closesAt + 1);
    await finalize(market, round.roundId);
    const [median] = await market.measure.read.latestOf([1]);
    expect(median).to.deep.equal({ ...result, downMbps: 500, portsReachable: 3 });
  });

  it("publishes nothing where results differ about the ports, and what all but one say", async () => {
    const market = await loadMeasure("three");
    const ports = { ...result, portsReachable: 0 };
    for (const [unreached, published] of [
      [1, 3],
      [2, undefined],
      [3, 0],
    ] as const) {
      const { round, drawn } = await roundOfMany(market, 4);
      await market.time.increaseTo(round.opensAt);
      for (const [place, draw] of drawn.entries())
        await reveal(market, `m${draw.measurerId}`, round, draw, place < unreached ? { result: ports } : {});
      await market.time.increaseTo(round.closesAt + 1);
      const receipt = await finalize(market, round.roundId);
      const [log] = parseEventLogs({ abi: measureAbi, eventName: "MeasureFinalized", logs: receipt.logs });
      expect(log?.args.median.portsReachable).to.equal(published);
    }
  });

  it("stores every bit of each field, and none of its neighbours", async () => {
    const market = await loadMeasure();
    await addMeasurer(market, "m");
    const most = 2 ** 32 - 1;
    const even = { ...result, downMbps: most, upMbps: 0, latencyTenthMs: most };
    const odd = { ...result, downMbps: 0, upMbps: most, latencyTenthMs: 0 };
    // Its lowest and its highest bit.
    const ends = 2 ** 31 + 1;
    const measured = [
      { ...even, portsReachable: 0, diskFreeGib: most, diskWriteMibps: 0 },
      { ...odd, portsReachable: 2 ** 16 - 1, diskFreeGib: 0, diskWriteMibps: most },
      { ...even, upMbps: ends, portsReachable: 2 ** 15 + 1, diskFreeGib: most, diskWriteMibps: ends },
      { ...odd, downMbps: ends, latencyTenthMs: ends, portsReachable: 2 ** 16 - 1, diskFreeGib: ends },
    ];
    for (const [place, given] of measured.entries()) {
      const nodeId = 1 + (place % 2);
      const round = await requestRound(market, nodeId, `figures ${place}`);
      await market.time.increaseTo(round.opensAt);
      await reveal(market, "m", round, round.drawn[0] as Drawn, { result: given });
      await market.time.increaseTo(round.closesAt + 1);
      await finalize(market, round.roundId);
      expect((await market.measure.read.latestOf([nodeId]))[0]).to.deep.equal(given);
    }
  });

  it("ends a round without its quorum cleanly, and stores nothing of it", async () => {
    const market = await loadMeasure("three");
    const { round, drawn } = await roundOfMany(market, 2);
    await market.time.increaseTo(round.opensAt);
    for (const draw of drawn) await reveal(market, `m${draw.measurerId}`, round, draw);
    const empty = await requestRound(market, 2, "no measurer reveals");
    await market.time.increaseTo(empty.closesAt + 1);
    const receipt = await finalize(market, round.roundId, empty.roundId);
    const logs = parseEventLogs({ abi: measureAbi, eventName: "MeasureFailed", logs: receipt.logs });
    expect(logs.map(({ args }) => args)).to.deep.equal([
      { roundId: round.roundId, nodeId: 1, submissions: 2 },
      { roundId: empty.roundId, nodeId: 2, submissions: 0 },
    ]);
    for (const { roundId } of [round, empty]) {
      expect(await market.measure.read.roundOf([roundId])).to.deep.equal([0, 0, 0, 0, 0, zeroHash]);
    }
    expect((await market.measure.read.latestOf([1]))[1]).to.equal(0);
    expectRefused(await finalize(market, round.roundId), "MeasureRoundEnded", { roundId: round.roundId });
  });

  it("has one round per node at a time, so that no keeper repeats the draw", async () => {
    const market = await loadMeasure();
    await addMeasurer(market, "m");
    const round = await requestRound(market);
    const again = () =>
      market.mined(
        market.measure.write.request([[{ nodeId: 1, draws: round.root }]], { account: market.people.keeper }),
      );
    expectRefused(await again(), "MeasureNodeBusy", { nodeId: 1, until: round.closesAt });
    await market.time.increaseTo(round.opensAt);
    await reveal(market, "m", round, round.drawn[0] as Drawn);
    await finalize(market, round.roundId);
    const second = await requestRound(market, 1, "second");
    // A round that was not finalized does not block the next one, nor does that one's end block a third.
    await market.time.increaseTo(second.closesAt + 1);
    const third = await requestRound(market, 1, "third");
    await finalize(market, second.roundId);
    expectRefused(await again(), "MeasureNodeBusy", { nodeId: 1, until: third.closesAt });
  });
});

describe("Measure: absence", () => {
  it("found by all but one, with a quorum, clears the slots in the window", async () => {
    const market = await loadMeasure("three");
    const { round, drawn } = await roundOfMany(market, 4);
    const { roundId, opensAt, closesAt } = round;
    await market.time.increaseTo(opensAt);
    const [one, ...others] = drawn as [Drawn, Drawn, Drawn, Drawn];
    const early = await reveal(market, `m${one.measurerId}`, round, one, { result: absent });
    expectRefused(early, "MeasureRoundNotOpen", { from: closesAt - 75 });
    await reveal(market, `m${one.measurerId}`, round, one);
    await market.time.increaseTo(closesAt - 75);
    for (const draw of others) {
      const receipt = await reveal(market, `m${draw.measurerId}`, round, draw, { result: absent });
      expect(refusalsOf(receipt)).to.deep.equal([]);
    }
    await market.time.increaseTo(closesAt + 1);
    const receipt = await finalize(market, roundId);
    const [log] = parseEventLogs({
      abi: computeNodeAbi,
      eventName: "PresenceChallenged",
      logs: receipt.logs,
    });
    expect(log?.args).to.deep.equal({
      nodeId: 1,
      firstSlot: BigInt(Math.ceil(opensAt / 60)),
      lastSlot: BigInt(Math.floor(closesAt / 60) - 1),
    });
    expect((await market.measure.read.latestOf([1]))[0]).to.deep.equal(absent);
  });

  for (const [results, absentees, title] of [
    [3, 2, "found by 2 of 3 is no verdict, and neither is presence"],
    [4, 2, "found by 2 of 4 is no verdict, and neither is presence"],
    [5, 3, "found by 3 of 5 is no verdict, and neither is presence"],
  ] as const) {
    it(title, async () => {
      const market = await loadMeasure("three");
      const { round, drawn } = await roundOfMany(market, results);
      await market.time.increaseTo(round.closesAt - 75);
      for (const [place, draw] of drawn.entries()) {
        await reveal(market, `m${draw.measurerId}`, round, draw, place < absentees ? { result: absent } : {});
      }
      await market.time.increaseTo(round.closesAt + 1);
      const receipt = await finalize(market, round.roundId);
      const failed = parseEventLogs({ abi: measureAbi, eventName: "MeasureFailed", logs: receipt.logs });
      expect(failed.map(({ args }) => args.submissions)).to.deep.equal([results]);
      expect(
        parseEventLogs({ abi: computeNodeAbi, eventName: "PresenceChallenged", logs: receipt.logs }),
      ).to.deep.equal([]);
      expect((await market.measure.read.latestOf([1]))[1]).to.equal(0);
    });
  }

  it("has no measured values", async () => {
    const market = await loadMeasure();
    await addMeasurer(market, "m");
    const round = await requestRound(market);
    await market.time.increaseTo(round.closesAt - 75);
    const receipt = await reveal(market, "m", round, round.drawn[0] as Drawn, {
      result: { ...result, absent: true },
    });
    expectRefused(receipt, "MeasureResultInvalid", { measurerId: 1 });
  });

  it("in a window that no whole slot is in clears nothing", async () => {
    const market = await loadMeasure("short");
    await addMeasurer(market, "m");
    const round = await requestRound(market);
    await market.time.increaseTo(round.closesAt - 10);
    await reveal(market, "m", round, round.drawn[0] as Drawn, { result: absent });
    await market.time.increaseTo(round.closesAt + 1);
    const { logs } = await finalize(market, round.roundId);
    expect(parseEventLogs({ abi: computeNodeAbi, eventName: "PresenceChallenged", logs })).to.deep.equal([]);
    expect(parseEventLogs({ abi: measureAbi, eventName: "MeasureFinalized", logs })).to.have.length(1);
  });

  it("reported when its slots can no longer be corrected clears nothing", async () => {
    const market = await loadMeasure();
    await addMeasurer(market, "m");
    const round = await requestRound(market);
    await market.time.increaseTo(round.closesAt - 75);
    await reveal(market, "m", round, round.drawn[0] as Drawn, { result: absent });
    await market.time.increase(2 * 3_600);
    const receipt = await finalize(market, round.roundId);
    expect(
      parseEventLogs({ abi: computeNodeAbi, eventName: "PresenceChallenged", logs: receipt.logs }),
    ).to.deep.equal([]);
    expect(
      parseEventLogs({ abi: measureAbi, eventName: "MeasureFinalized", logs: receipt.logs }),
    ).to.have.length(1);
  });
});
