import { type BlockRef, reconcile, type Verdict } from "@ngpu/chain-reader/reconcile";
import { expect } from "chai";
import fc from "fast-check";
import type { Hex } from "viem";

const hashOf = (fork: string, number: bigint): Hex => `0x${fork}${number.toString(16).padStart(4, "0")}`;
const blocks = (fork: string, from: number, to: number): BlockRef[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => ({
    number: BigInt(from + index),
    hash: hashOf(fork, BigInt(from + index)),
  }));

/** Provides every requested hash from a chain. Returns the verdict and the number of requests. */
function decide(kept: BlockRef[], chain: BlockRef[]): { verdict: Verdict; requests: number } {
  const head = chain.at(-1) as BlockRef;
  const hashes = new Map<bigint, Hex>();
  for (let requests = 0; requests < 100; requests++) {
    const verdict = reconcile({ kept, head, hashes });
    if (verdict.type !== "readHash") return { verdict, requests };
    const found = chain.find(({ number }) => number === verdict.number) as BlockRef;
    hashes.set(verdict.number, found.hash);
  }
  throw new Error("There is no verdict after 100 requests.");
}

describe("comparing stored blocks with an endpoint's chain", () => {
  const ours = blocks("aa", 10, 20);

  it("begins when nothing is stored", () => {
    expect(decide([], ours).verdict).to.deep.equal({ type: "extend", tip: null });
  });

  it("does nothing while the head is the newest stored block", () => {
    expect(decide(ours, ours).verdict).to.deep.equal({ type: "same" });
  });

  it("extends from the newest stored block with one request", () => {
    const { verdict, requests } = decide(ours, blocks("aa", 10, 30));
    expect(verdict).to.deep.equal({ type: "extend", tip: ours.at(-1) });
    expect(requests).to.equal(1);
  });

  it("considers an endpoint with fewer blocks as lagging", () => {
    expect(decide(ours, blocks("aa", 0, 15)).verdict).to.deep.equal({ type: "behind", by: 5n });
    expect(decide(ours, blocks("aa", 0, 3)).verdict).to.deep.equal({ type: "behind", by: 17n });
  });

  it("finds the newest block that both chains have", () => {
    const theirs = [...blocks("aa", 0, 16), ...blocks("bb", 17, 25)];
    expect(decide(ours, theirs).verdict).to.deep.equal({
      type: "reorg",
      ancestor: { number: 16n, hash: hashOf("aa", 16n) },
      depth: 4n,
      shorter: false,
    });
  });

  it("reports a shorter chain", () => {
    const theirs = [...blocks("aa", 0, 12), ...blocks("bb", 13, 14)];
    expect(decide(ours, theirs).verdict).to.deep.include({ type: "reorg", depth: 8n, shorter: true });
  });

  it("requests older blocks when no stored block is on the chain", () => {
    const theirs = [...blocks("aa", 0, 8), ...blocks("bb", 9, 25)];
    expect(decide(ours, theirs).verdict).to.deep.equal({ type: "deeper", oldest: ours[0], shorter: false });
  });

  it("finds the fork of any two chains, with gaps in the stored blocks, in few requests", () => {
    const scenario = fc.record({
      shared: fc.integer({ min: 0, max: 300 }),
      ours: fc.integer({ min: 0, max: 300 }),
      theirs: fc.integer({ min: 0, max: 300 }),
      keep: fc.infiniteStream(fc.boolean()),
    });
    fc.assert(
      fc.property(scenario, (given) => {
        const shared = blocks("aa", 0, given.shared);
        const mine = [...shared, ...blocks("bb", given.shared + 1, given.shared + given.ours)];
        const theirs = [...shared, ...blocks("cc", given.shared + 1, given.shared + given.theirs)];
        const kept = mine.filter((_, index) => index === mine.length - 1 || given.keep.next().value);
        const head = theirs.at(-1) as BlockRef;
        const tip = kept.at(-1) as BlockRef;
        const common = kept.filter(({ number }) => number <= BigInt(given.shared)).at(-1);
        const { verdict, requests } = decide(kept, theirs);
        expect(requests).to.be.below(25);
        const off = kept.filter(({ number }) => number > BigInt(given.shared));
        const contradicted = off.some(({ number }) => number <= head.number);
        const expected = !contradicted
          ? common?.number === tip.number
            ? head.number === tip.number
              ? "same"
              : "extend"
            : "behind"
          : common === undefined
            ? "deeper"
            : "reorg";
        expect(verdict.type).to.equal(expected);
        if (verdict.type === "reorg") expect(verdict.ancestor).to.deep.equal(common);
      }),
    );
  });
});
