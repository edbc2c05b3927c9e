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

/** Answers every question from a chain and returns the verdict, with how many questions it took. */
function decide(kept: BlockRef[], chain: BlockRef[]): { verdict: Verdict; asked: number } {
  const head = chain.at(-1) as BlockRef;
  const answers = new Map<bigint, Hex>();
  for (let asked = 0; asked < 100; asked++) {
    const verdict = reconcile({ kept, head, answers });
    if (verdict.type !== "ask") return { verdict, asked };
    const found = chain.find(({ number }) => number === verdict.number) as BlockRef;
    answers.set(verdict.number, found.hash);
  }
  throw new Error("It never stops asking.");
}

describe("comparing stored blocks with an endpoint's chain", () => {
  const ours = blocks("aa", 10, 20);

  it("begins when nothing is stored", () => {
    expect(decide([], ours).verdict).to.deep.equal({ type: "extend", tip: null });
  });

  it("does nothing while the head is the newest stored block", () => {
    expect(decide(ours, ours).verdict).to.deep.equal({ type: "same" });
  });

  it("goes on from the newest stored block with one question", () => {
    const { verdict, asked } = decide(ours, blocks("aa", 10, 30));
    expect(verdict).to.deep.equal({ type: "extend", tip: ours.at(-1) });
    expect(asked).to.equal(1);
  });

  it("takes an endpoint that knows fewer blocks for one that lags", () => {
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

  it("says when the other chain is shorter", () => {
    const theirs = [...blocks("aa", 0, 12), ...blocks("bb", 13, 14)];
    expect(decide(ours, theirs).verdict).to.deep.include({ type: "reorg", depth: 8n, shorter: true });
  });

  it("asks for older blocks when none of those stored is on the chain", () => {
    const theirs = [...blocks("aa", 0, 8), ...blocks("bb", 9, 25)];
    expect(decide(ours, theirs).verdict).to.deep.equal({ type: "deeper", oldest: ours[0], shorter: false });
  });

  it("finds the fork of any two chains, with gaps in what is stored, in few questions", () => {
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
        const { verdict, asked } = decide(kept, theirs);
        expect(asked).to.be.below(25);
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
