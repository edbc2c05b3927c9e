import { expect } from "chai";
import { keccak256, toBytes } from "viem";
import { keyOf } from "./support/market.ts";
import {
  addMeasurer,
  consentTo,
  type Drawn,
  finalize,
  loadMeasure,
  type Round,
  requestDrawing,
  requestRound,
  result,
  reveal,
} from "./support/measure.ts";
import { bindWallet, type Node } from "./support/nodes.ts";
import { expectRefused, expectRevert, refusalsOf } from "./support/reverts.ts";

const another = keccak256(toBytes("another salt"));

function drawOf(round: Round, measurerId: number): Drawn {
  const found = round.drawn.find((draw) => draw.measurerId === measurerId);
  if (found === undefined) throw new Error(`Measurer ${measurerId} was not drawn.`);
  return found;
}

describe("Measure: draws", () => {
  it("register a measurer's key once", async () => {
    const market = await loadMeasure();
    await addMeasurer(market, "m");
    expect(await market.measure.read.measurerIdOf([keyOf("m").address])).to.equal(1);
    expectRefused(await addMeasurer(market, "m"), "MeasurerKeyTaken", { measurerId: 1 });
  });

  it("select no measurer before the deciding block", async () => {
    const market = await loadMeasure();
    await addMeasurer(market, "m");
    const round = await requestRound(market);
    expect(round.drawn.map(({ measurerId }) => measurerId)).to.deep.equal(Array(8).fill(1));
    const earlier = { blockNumber: BigInt(round.drawBlock) };
    expect(await market.measure.read.drawnBy([round.roundId, another], earlier)).to.equal(0);
  });

  it("spread over the admitted measurers", async () => {
    const market = await loadMeasure();
    for (let id = 1; id <= 4; id += 1) await addMeasurer(market, `m${id}`);
    const round = await requestDrawing(market, 4);
    const seen = new Set(round.drawn.map(({ measurerId }) => measurerId));
    expect([...seen].sort()).to.deep.equal([1, 2, 3, 4]);
  });

  it("accept no salt, port or position that was not committed, and no measurer that was not drawn", async () => {
    const market = await loadMeasure("three");
    await addMeasurer(market, "m1");
    await addMeasurer(market, "m2");
    const round = await requestDrawing(market, 2);
    const one = drawOf(round, 1);
    const two = drawOf(round, 2);
    await market.time.increaseTo(round.opensAt);
    const refused = async (drawn: Drawn, changes: object = {}, name = "m1") =>
      refusalsOf(await reveal(market, name, round, drawn, changes))[0]?.name;
    expect(await refused(one, { salt: another })).to.equal("MeasureDrawUnknown");
    expect(await refused(one, { port: 1 })).to.equal("MeasureDrawUnknown");
    expect(await refused(one, { draw: (one.draw + 1) % 8 })).to.equal("MeasureDrawUnknown");
    expect(await refused(one, { draw: one.draw + 8 })).to.equal("MeasureDrawUnknown");
    expect(await refused(two, { measurerId: 1 })).to.equal("MeasurerNotDrawn");
    expect(await refused(one, { measurerId: 9 })).to.equal("MeasurerNotDrawn");
    expect(await refused(one, {}, "m2")).to.equal("SignatureInvalid");
    expect(await refused(one)).to.equal(undefined);
    expect(await refused(one)).to.equal("MeasureAlreadySubmitted");
    await market.time.increaseTo(round.closesAt + 1);
    expect(await refused(two, {}, "m2")).to.equal("MeasureRoundClosed");
  });

  it("beyond those of the deployment are ignored", async () => {
    const market = await loadMeasure("one");
    await addMeasurer(market, "m");
    const round = await requestRound(market);
    await market.time.increaseTo(round.opensAt);
    expectRefused(await reveal(market, "m", round, round.drawn[1] as Drawn), "MeasureDrawUnknown", {
      draw: 1,
    });
  });

  it("need the block's hash at the first reveal only", async () => {
    const market = await loadMeasure("three");
    for (let id = 1; id <= 4; id += 1) await addMeasurer(market, `m${id}`);
    const round = await requestDrawing(market, 2);
    const late = await requestRound(market, 2, "late");
    const [first, second] = [...new Set(round.drawn.map(({ measurerId }) => measurerId))] as [number, number];
    await market.time.increaseTo(late.opensAt);
    await reveal(market, `m${first}`, round, drawOf(round, first));
    for (let mined = 0; mined < 260; mined += 1)
      await market.connection.networkHelpers.mine(1, { interval: 0 });
    expect(refusalsOf(await reveal(market, `m${second}`, round, drawOf(round, second)))).to.deep.equal([]);
    const drawn = late.drawn[0] as Drawn;
    expectRefused(await reveal(market, `m${drawn.measurerId}`, late, drawn), "MeasureSeedMissing", {
      drawBlock: late.drawBlock,
    });
    await market.time.increaseTo(late.closesAt + 1);
    expect(refusalsOf(await finalize(market, late.roundId))).to.deep.equal([]);
  });

  it("register for another's wallet only with its signature, for that key, or by its own call", async () => {
    const market = await loadMeasure("three");
    const { measure, people } = market;
    const [wallet, thief] = [keyOf("an operator"), keyOf("a thief")];
    const forged = await consentTo(market, keyOf("squatter").address, thief);
    const ofAnother = await consentTo(market, keyOf("m1").address, wallet);
    const named = { address: wallet.address };
    for (const consent of ["0x", forged, ofAnother] as const) {
      expectRefused(await addMeasurer(market, "squatter", named, consent), "SignatureInvalid", {
        signer: wallet.address,
      });
    }
    expect(await measure.read.measurerIdOf([keyOf("squatter").address])).to.equal(0);
    expect(refusalsOf(await addMeasurer(market, "m1", named, ofAnother))).to.deep.equal([]);
    expect((await measure.read.measurerOf([1]))[1]).to.equal(wallet.address);
    const self = keyOf("pays itself");
    expect(refusalsOf(await addMeasurer(market, "pays itself", self, "0x"))).to.deep.equal([]);
    expect(
      refusalsOf(await addMeasurer(market, "m2", { address: people.outsider }, "0x", people.outsider)),
    ).to.deep.equal([]);
  });

  it("accept one result per operator, however many measurers it has", async () => {
    const market = await loadMeasure("three");
    const wallet = keyOf("measurers' wallet");
    await addMeasurer(market, "m1", wallet);
    await addMeasurer(market, "m2", wallet);
    const round = await requestDrawing(market, 2);
    await market.time.increaseTo(round.opensAt);
    expect(refusalsOf(await reveal(market, "m1", round, drawOf(round, 1)))).to.deep.equal([]);
    expectRefused(await reveal(market, "m2", round, drawOf(round, 2)), "MeasureAlreadySubmitted", {
      measurerId: 1,
    });
  });

  it("never let an operator measure its own node, whichever key or wallet connects them", async () => {
    const market = await loadMeasure();
    const operator = keyOf("wallet");
    const node = (id: number, name: string): Node => ({ id, key: keyOf(name) });
    await bindWallet(market, node(1, "node one"), operator);
    await bindWallet(market, node(2, "node two"), operator);
    const own: [string, typeof operator | undefined][] = [
      ["node one", undefined],
      ["paid to the node", keyOf("node one")],
      ["paid to its wallet", operator],
      ["wallet", undefined],
      // Another node of the same wallet, which is the measurer's key or its payee.
      ["node two", undefined],
      ["paid to the other node", keyOf("node two")],
    ];
    for (const [place, [name, to]] of own.entries()) {
      // Each alone, so that it is the one that is drawn.
      const { networkHelpers } = market.connection;
      const snapshot = await networkHelpers.takeSnapshot();
      await addMeasurer(market, name, to);
      const round = await requestRound(market, 1, `own ${place}`);
      await market.time.increaseTo(round.opensAt);
      const receipt = await reveal(market, name, round, round.drawn[0] as Drawn, { result });
      expectRefused(receipt, "MeasureOwnNode", { measurerId: 1, nodeId: 1 });
      await snapshot.restore();
    }
  });

  it("never let a measurer measure a node of the wallet that the measurer it is paid through has", async () => {
    const market = await loadMeasure();
    const operator = keyOf("wallet");
    await bindWallet(market, { id: 1, key: keyOf("node one") }, operator);
    await addMeasurer(market, "first", keyOf("second"));
    const round = await requestRound(market);
    await addMeasurer(market, "second", operator);
    await market.time.increaseTo(round.opensAt);
    const receipt = await reveal(market, "first", round, drawOf(round, 1));
    expectRefused(receipt, "MeasureOwnNode", { measurerId: 1, nodeId: 1 });
  });

  it("select admitted measurers only, which operations admits where not everyone is", async () => {
    const market = await loadMeasure("closed");
    const { measure, people, mined } = market;
    await addMeasurer(market, "m1");
    await addMeasurer(market, "m2");
    const undrawn = await requestRound(market);
    expect(undrawn.drawn.every(({ measurerId }) => measurerId === 0)).to.equal(true);
    await market.time.increaseTo(undrawn.opensAt);
    const claimed = { ...(undrawn.drawn[0] as Drawn), measurerId: 1 };
    expectRefused(await reveal(market, "m1", undrawn, claimed), "MeasurerNotDrawn", { drawn: 0 });
    await expectRevert(
      measure.write.setMeasurersAdmitted([[1], true], { account: people.outsider }),
      "AccessManagedUnauthorized",
    );
    const set = (ids: number[], admitted: boolean) =>
      mined(measure.write.setMeasurersAdmitted([ids, admitted]));
    const receipt = await set([1, 2, 2, 9], true);
    expect(refusalsOf(receipt).map(({ index, name }) => [index, name])).to.deep.equal([
      [2, "MeasurerAlreadyAdmitted"],
      [3, "MeasurerUnknown"],
    ]);
    await set([1], false);
    expect(await measure.read.admittedCount()).to.equal(1n);
    const round = await requestRound(market, 2, "after");
    expect(new Set(round.drawn.map(({ measurerId }) => measurerId))).to.deep.equal(new Set([2]));
    // Removed while the round was open.
    await set([2], false);
    await market.time.increaseTo(round.opensAt);
    expectRefused(await reveal(market, "m2", round, round.drawn[0] as Drawn), "MeasurerNotDrawn", {
      drawn: 0,
    });
  });

  it("are requested by keepers, for existing nodes", async () => {
    const { measure, people, mined } = await loadMeasure();
    const ask = (nodeId: number, account: `0x${string}`) =>
      measure.write.request([[{ nodeId, draws: another }]], { account });
    await expectRevert(ask(1, people.outsider), "CallerNotMeasureKeeper", { caller: people.outsider });
    expectRefused(await mined(ask(7, people.keeper)), "MeasureNodeUnknown", { nodeId: 7 });
  });
});
