import { expect } from "chai";
import { encodePacked, keccak256, pad, toHex } from "viem";
import { type Chance, chance, commitmentOf, drawRound, needsRound } from "../../../services/match/draw.ts";
import type { MeasurableNode, UndrawnRound } from "../../../services/match/measureStore.ts";

const node = (given: Partial<MeasurableNode> = {}): MeasurableNode => ({
  ...{ node_id: 1, valid_until: null, open: false, failures: 0, failed_at: null, rounds: 0 },
  ...given,
});

const round: UndrawnRound = {
  ...{ round_id: 5n, node_id: 1, key: "0xkey", owner: "0xowner", opens_at: 110, closes_at: 140 },
};

const facts = {
  now: 100,
  measurers: [
    { measurer_id: 1, owner: "0xowner" },
    { measurer_id: 2, owner: "0xkey" },
    { measurer_id: 3, owner: "0xother" },
  ],
  ports: { first: 42_000, last: 42_002 },
  taken: new Set<number>(),
};

const first: Chance = { below: () => 0, bytes: (length) => pad("0x01", { size: length }) };

describe("match: drawing measurements", () => {
  it("asks for a round when there is no measurement, or its last quarter has begun", () => {
    expect(needsRound(node(), 100, 400)).to.equal(true);
    expect(needsRound(node({ valid_until: 201 }), 100, 400)).to.equal(false);
    expect(needsRound(node({ valid_until: 200 }), 100, 400)).to.equal(true);
    expect(needsRound(node({ open: true }), 100, 400)).to.equal(false);
  });

  it("waits longer after each failure", () => {
    const failed = (failures: number, ago: number) => node({ failures, failed_at: 1_000 - ago });
    expect(needsRound(failed(1, 4), 1_000, 400)).to.equal(false);
    expect(needsRound(failed(1, 5), 1_000, 400)).to.equal(true);
    expect(needsRound(failed(4, 39), 1_000, 400)).to.equal(false);
    expect(needsRound(failed(4, 40), 1_000, 400)).to.equal(true);
    expect(needsRound(failed(30, 600), 1_000, 400)).to.equal(true);
  });

  it("never lets a wallet measure its own node", () => {
    for (let tries = 0; tries < 50; tries += 1) {
      expect(drawRound(round, facts, chance)?.measurer_id).to.equal(3);
    }
    const own = { ...facts, measurers: facts.measurers.slice(0, 2) };
    expect(drawRound(round, own, chance)).to.equal(undefined);
  });

  it("draws a port in the range that no other round uses", () => {
    const draw = drawRound(round, { ...facts, taken: new Set([42_000, 42_001]) }, first);
    expect(draw?.port).to.equal(42_002);
    for (let tries = 0; tries < 50; tries += 1) {
      expect(drawRound(round, facts, chance)?.port).to.be.within(42_000, 42_002);
    }
  });

  it("does not draw a round whose commitment would come too late", () => {
    expect(drawRound(round, { ...facts, now: 110 }, first)).to.equal(undefined);
  });

  it("commits to round, measurer, port and salt as the contract hashes them", () => {
    const salt = toHex(7n, { size: 32 });
    const words = [5n, 3n, 42_000n].map((value) => toHex(value, { size: 32 }));
    const packed = encodePacked(["bytes32", "bytes32", "bytes32", "bytes32"], [...words, salt] as never);
    expect(commitmentOf({ round_id: 5n, measurer_id: 3, port: 42_000, salt })).to.equal(keccak256(packed));
  });
});
