import { drawTreeOf } from "@ngpu/protocol/drawTree";
import { expect } from "chai";
import { encodeAbiParameters, type Hex, keccak256, pad, toHex } from "viem";
import {
  checkDraws,
  needsRound,
  prepareRound,
  type RandomSource,
  randomSource,
} from "../../../services/match/measurement/measurementDraw.ts";
import { measuredUrl, proofOf } from "../../../services/match/measurement/measureOrders.ts";
import type { MeasurableNode } from "../../../services/match/measurement/roundFacts.ts";

const node = (given: Partial<MeasurableNode> = {}): MeasurableNode => ({
  node_id: 1,
  host: "10.0.0.1",
  valid_until: null,
  open: false,
  failures: 0,
  failed_at: null,
  rounds: 0,
  ...given,
});

const facts = { ports: { first: 42_000, last: 42_002 }, taken: new Set<number>() };
const round = { key: "0xkey", owner: "0xowner" };
const measurers = [
  { measurer_id: 1, owner: "0xowner" },
  { measurer_id: 2, owner: "0xkey" },
  { measurer_id: 3, owner: "0xother" },
  { measurer_id: 4, owner: "0xother" },
  { measurer_id: 5, owner: "0xthird" },
];

/** The root to which a proof leads, as the contract computes it. */
function rootOf({ port, salt }: { port: number; salt: Hex }, position: number, proof: readonly Hex[]): Hex {
  const leaf = keccak256(encodeAbiParameters([{ type: "uint16" }, { type: "bytes32" }], [port, salt]));
  return proof.reduce((node, sibling, level) => {
    const [left, right] = (position >> level) % 2 === 0 ? [node, sibling] : [sibling, node];
    return keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "bytes32" }], [left, right]));
  }, leaf);
}

const first: RandomSource = { below: () => 0, bytes: (length) => pad("0x01", { size: length }) };

describe("match: measurement draws", () => {
  it("needs a round without a measurement, or in the last quarter of its validity", () => {
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

  it("chooses a port in the range that no other round uses", () => {
    const given = prepareRound(node(), { ...facts, taken: new Set([42_000, 42_001]) }, first);
    expect(given.port).to.equal(42_002);
    for (let tries = 0; tries < 50; tries += 1) {
      expect(prepareRound(node(), facts, randomSource).port).to.be.within(42_000, 42_002);
    }
  });

  it("samples another port for each draw, and leaves ports for other rounds on the machine", () => {
    const wide = { ports: { first: 42_000, last: 42_999 }, taken: new Set<number>() };
    const { port, ports } = prepareRound(node(), wide, randomSource);
    expect(new Set(ports).size).to.equal(8);
    expect(ports[0]).to.equal(port);
    const narrow = prepareRound(node(), { ...wide, ports: { first: 42_000, last: 42_009 } }, randomSource);
    expect(new Set(narrow.ports).size).to.equal(2);
    expect(narrow.ports).to.have.length(8);
    const full = { ports: { first: 42_000, last: 42_002 }, taken: new Set([42_000, 42_001, 42_002]) };
    expect(new Set(prepareRound(node(), full, randomSource).ports).size).to.equal(1);
  });

  it("measures each draw at its own port, at the address that the node reported", () => {
    const at = { host: "10.0.0.1", port: 42_007 };
    expect(measuredUrl({ ...at, url: null })).to.equal("http://10.0.0.1:42007");
    expect(measuredUrl({ ...at, url: "http://10.0.0.2:42001" })).to.equal("http://10.0.0.2:42007");
    expect(measuredUrl({ ...at, url: "http://[2001:db8::1]:42001" })).to.equal("http://[2001:db8::1]:42007");
    const { salts, ports, draws } = prepareRound(
      node(),
      { ports: { first: 42_000, last: 42_999 }, taken: new Set() },
      randomSource,
    );
    for (const position of [0, 3, 7]) {
      const { salt, proof } = proofOf({ salts, ports, position });
      expect(rootOf({ port: ports[position] as number, salt }, position, proof)).to.equal(draws);
    }
  });

  it("commits to the ports and to unique salts", () => {
    const { draws, salts, ports } = prepareRound(node(), facts, randomSource);
    const tree = drawTreeOf(salts.map((salt, position) => ({ port: ports[position] as number, salt })));
    expect(tree.root).to.equal(draws);
    expect(new Set(salts).size).to.equal(8);
    expect(prepareRound(node(), facts, randomSource).draws).to.not.equal(draws);
  });

  it("fails draws of no measurer, of the node's own operator, and of an operator drawn before", () => {
    const drawn = checkDraws(round, [3, 1, 2, 0, 4, 3, 9, 5], measurers);
    expect(drawn.filter(({ failure }) => failure === null)).to.deep.equal([
      { position: 0, measurer_id: 3, failure: null },
      { position: 7, measurer_id: 5, failure: null },
    ]);
    expect(drawn.map(({ failure }) => failure).slice(1, 7)).to.deep.equal([
      "the node belongs to the measurer",
      "the node belongs to the measurer",
      "no measurer was drawn",
      "its operator is already drawn",
      "its operator is already drawn",
      "the measurer is unknown",
    ]);
  });

  it("has eight draws, each with a proof for its position", () => {
    const draws = Array.from({ length: 8 }, (_, position) => ({
      port: 1,
      salt: toHex(position, { size: 32 }),
    }));
    const { proofOf } = drawTreeOf(draws);
    expect(new Set(draws.map((_, position) => proofOf(position).join())).size).to.equal(8);
    expect(() => drawTreeOf(draws.slice(1))).to.throw(RangeError);
  });
});
