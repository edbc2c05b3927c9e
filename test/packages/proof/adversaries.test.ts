import { type Refusal, verify } from "@ngpu/proof/verify";
import { expect } from "chai";
import fc from "fast-check";
import { hexToBytes } from "viem";
import { writePage } from "../../../packages/proof/permutation.ts";
import type { Claim, Result } from "../../../packages/proof/record.ts";
import { auditSeedOf } from "../../../packages/proof/seeds.ts";
import { pageOperations } from "../../../packages/proof/terms.ts";
import { blake2s } from "../../../packages/proof/tree.ts";
import { blockHash, claimOf } from "./claims.ts";
import { answerOf, type Cheat, heldPages } from "./plainProver.ts";

const lanes = 16;
const short = { chase: { lanes, legs: 2 }, work: { lanes, legs: 1 } };
/** Without a leg before, every transcript of it has the same length. */
const shortest = { chase: { lanes, legs: 1 }, work: { lanes, legs: 1 } };
const claim = claimOf();

function reasonOf(result: Result, of: Claim = claim): Refusal | "accepted" {
  const verdict = verify(result, of);
  return verdict.accepted ? "accepted" : verdict.reason;
}

/** Names the transcript after the verifier's challenge, as a liar would. */
function renamed(result: Result, as: Claim): Result {
  const transcript = Uint8Array.from(result.transcript);
  transcript.set(hexToBytes(auditSeedOf(as, result)), 4);
  return { ...result, transcript };
}

describe("a proof of hardware against liars", () => {
  const honest = answerOf(claim, short);
  const result = honest.result();

  it("accepts the honest answer with its figures", () => {
    const verdict = verify(result, claim);
    expect(verdict).to.deep.equal({
      accepted: true,
      proven: {
        bytes: claim.bytes,
        bytesPerSecond: BigInt((lanes * 2 * 4_096 * 64) / 8),
        operationsPerSecond: BigInt((lanes * 32 * 4_096 * 96) / 4),
      },
    });
  });

  it("has the test vector of the specification", () => {
    expect(honest.answer.chase.root).to.equal(
      "0xee7ed9bdbfd8adbbf0203d183621ccd856deb2e4d705cb7603aacaec1efbad60",
    );
    expect(honest.answer.work.root).to.equal(
      "0xeac601ee39d85ba672431d0301381577b016d9015de8dd869158ee478887275c",
    );
    expect(result.transcript).to.have.length(223_844);
    expect(Buffer.from(blake2s(result.transcript)).toString("hex")).to.equal(
      "907ab77bce028f220d681286d84d4954ea2411d2ece2e58b36c865a31ef3baeb",
    );
  });

  it("refuses half of the memory, made up as it is read", () => {
    // What the hardware can do in the time: 40,000 pages.
    const budget = 40_000;
    const limited = claimOf({ operationsLimit: (BigInt(budget) * BigInt(pageOperations)) / 8n });
    const halves = { regenerated: 0 };
    const cheat: Cheat = {
      pages: (key, layout) => {
        const held = heldPages(key, layout);
        const page = new Int32Array(256);
        return (number) => {
          if (number % 2 === 0) return held(number);
          halves.regenerated++;
          writePage(page, key, number);
          return page;
        };
      },
    };
    const liar = answerOf(limited, shortest, cheat);
    expect(halves.regenerated, "the liar works as much as the hardware can").to.be.within(budget / 2, budget);
    expect(reasonOf(liar.result(), limited)).to.equal("memory_unproven");
    // With all of it there, the same hardware reads more in the time.
    const whole = answerOf(limited, { ...shortest, chase: { lanes, legs: 4 } });
    expect(reasonOf(whole.result(), limited)).to.equal("accepted");
  });

  it("refuses half of the memory, with other words in place of the rest", () => {
    const cheat: Cheat = {
      pages: (key, layout) => {
        const held = heldPages(key, layout);
        return (number) => held(number - (number % 2));
      },
    };
    expect(reasonOf(answerOf(claim, short, cheat).result())).to.equal("segment_wrong");
  });

  for (const name of ["fill", "chase", "work"] as const) {
    it(`refuses an answer computed before the block of the ${name}'s seed`, () => {
      const guessed = claimOf({ blocks: { ...claim.blocks, [name]: blockHash("a guess") } });
      const early = answerOf(guessed, shortest);
      // The liar opens what is drawn, from what it committed to.
      expect(reasonOf(early.result(claim))).to.equal("segment_wrong");
    });
  }

  it("refuses segments that are made up", () => {
    const cheat: Cheat = { invents: (kind, { segment }) => kind === "chase" && segment % 2 === 1 };
    expect(reasonOf(answerOf(claim, short, cheat).result())).to.equal("segment_wrong");
  });

  it("refuses arithmetic that is made up", () => {
    const cheat: Cheat = { invents: (kind, { segment }) => kind === "work" && segment % 2 === 1 };
    expect(reasonOf(answerOf(claim, short, cheat).result())).to.equal("segment_wrong");
  });

  it("refuses legs that do not continue each other, and a first one that begins elsewhere", () => {
    const cheat: Cheat = { restarts: ({ lane, leg }) => new Int32Array(16).fill(1 + lane + leg) };
    expect(reasonOf(answerOf(claim, short, cheat).result())).to.equal("leg_not_continued");
    const onlyFirst: Cheat = { restarts: () => new Int32Array(16).fill(9) };
    expect(reasonOf(answerOf(claim, shortest, onlyFirst).result())).to.equal("leg_not_continued");
  });

  it("refuses a transcript that is truncated, extended, empty or something else", () => {
    const { transcript } = result;
    const withBytes = (bytes: Uint8Array) => reasonOf({ ...result, transcript: bytes });
    expect(withBytes(transcript.subarray(0, -1))).to.equal("transcript_length");
    expect(withBytes(transcript.subarray(0, 36))).to.equal("transcript_length");
    expect(withBytes(Uint8Array.from([...transcript, 0]))).to.equal("transcript_length");
    expect(withBytes(new Uint8Array())).to.equal("transcript_invalid");
    expect(withBytes(new Uint8Array(transcript.length))).to.equal("transcript_invalid");
  });

  it("refuses a transcript with another byte anywhere (25 histories)", () => {
    const reasons = ["transcript_invalid", "other_challenge", "leaf_not_committed", "leg_not_continued"];
    fc.assert(
      fc.property(fc.nat(result.transcript.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const transcript = Uint8Array.from(result.transcript);
        transcript[at] = (transcript[at] as number) ^ change;
        expect(reasonOf({ ...result, transcript })).to.be.oneOf(reasons);
      }),
      { numRuns: 25 },
    );
  });

  it("refuses the answer of another node, device or wave", () => {
    const others = [
      claimOf({ nodeId: 8n }),
      claimOf({ device: 1 }),
      claimOf({ blocks: { ...claim.blocks, audit: blockHash("another") } }),
    ];
    const copied = answerOf(claim, shortest).result();
    for (const other of others) {
      expect(reasonOf(copied, other)).to.equal("other_challenge");
      expect(reasonOf(renamed(copied, other), other)).to.equal("leaf_not_committed");
    }
    // Even the whole answer, opened for the other node's draws.
    const [sibling = claim] = others;
    expect(reasonOf(answerOf(claim, shortest).result(sibling), sibling)).to.equal("segment_wrong");
  });

  it("refuses another size than the one that was proven", () => {
    expect(reasonOf(renamed(result, claim), claimOf({ bytes: 2n ** 23n }))).to.equal("segment_wrong");
  });

  it("verifies the largest size as it verifies the smallest", () => {
    const largest = claimOf({ bytes: 2n ** 42n });
    // Nobody's memory here: every page is made as it is read.
    const cheat: Cheat = {
      pages: (key) => {
        const page = new Int32Array(256);
        return (number) => {
          writePage(page, key, number);
          return page;
        };
      },
    };
    const giant = answerOf(largest, shortest, cheat);
    expect(reasonOf(giant.result(), largest)).to.equal("accepted");
    // That it could be made up at all is what the limit of operations is for.
    const limited = { ...largest, operationsLimit: BigInt(lanes * 4_096 * pageOperations) / 8n };
    expect(reasonOf(giant.result(limited), limited)).to.equal("memory_unproven");
  });
});
