import { verify } from "@ngpu/proof/verify";
import { expect } from "chai";
import fc from "fast-check";
import type { Claim, Result } from "../../../packages/proof/record.ts";
import { auditSeedOf } from "../../../packages/proof/seeds.ts";
import { claimOf } from "./claims.ts";
import { answerOf } from "./plainProver.ts";

const claim = claimOf();
const lanes = 16;

function reasonOf(result: Result, of: Claim = claim): string {
  const verdict = verify(result, of);
  return verdict.accepted ? "accepted" : verdict.reason;
}

describe("verifying what is no proof", () => {
  const honest = answerOf(claim, { chase: { lanes, legs: 2 }, work: { lanes, legs: 1 } });
  const result = honest.result();

  it("refuses what is no answer, without an exception", () => {
    const given = fc.anything().map((value) => value as Result);
    fc.assert(
      fc.property(given, fc.anything(), (value, chase) => {
        expect(reasonOf(value)).to.equal("answer_invalid");
        expect(reasonOf({ ...result, chase: chase as Result["chase"] })).to.equal("answer_invalid");
      }),
    );
  });

  it("refuses absurd sizes", () => {
    for (const bytes of [0n, 1n, 2n ** 22n - 1n, 2n ** 42n + 1n, 2n ** 64n - 1n, -1n])
      expect(reasonOf(result, claimOf({ bytes })), String(bytes)).to.equal("claim_size");
  });

  it("refuses absurd counts and more than was committed to", () => {
    const withChase = (given: object) => reasonOf({ ...result, chase: { ...result.chase, ...given } });
    for (const count of [0, -1, 1.5, 3, 17, 2 ** 21, Number.NaN, Number.POSITIVE_INFINITY])
      expect(withChase({ lanes: count }), `${count} lanes`).to.equal("answer_invalid");
    for (const count of [0, -1, 1.5, 2 ** 20 + 1, Number.NaN])
      expect(withChase({ legs: count }), `${count} legs`).to.equal("answer_invalid");
    expect(withChase({ root: "0x" })).to.equal("answer_invalid");
    const more = { ...honest.answer, chase: { ...honest.answer.chase, legs: 4 } };
    const transcript = honest.open(auditSeedOf(claim, more));
    expect(reasonOf({ ...more, transcript: transcript })).to.be.oneOf([
      "transcript_length",
      "leaf_not_committed",
    ]);
  });

  it("refuses more lanes than the memory has pages for", () => {
    expect(reasonOf({ ...result, chase: { ...result.chase, lanes: 64 } })).to.equal("answer_invalid");
  });

  it("refuses a claim without times, hashes or a limit", () => {
    const bad: Partial<Claim>[] = [
      { milliseconds: { chase: 0, work: 1 } },
      { milliseconds: { chase: 8_000, work: Number.NaN } },
      { operationsLimit: 0n },
      { nodeId: -1n },
      { nodeId: 2n ** 64n },
      { device: 0.5 },
      { blocks: { ...claim.blocks, fill: "0x12" } },
    ];
    for (const given of bad) expect(reasonOf(result, claimOf(given))).to.equal("claim_invalid");
  });
});
