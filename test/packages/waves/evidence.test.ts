import { commitmentOf } from "@ngpu/proof/record";
import { chaseHashOf, type Evidence, judgeEvidence, type WaveChain } from "@ngpu/waves/evidence";
import { batchTree } from "@ngpu/waves/tree";
import { expect } from "chai";
import { blockHash, claimOf } from "../proof/claims.ts";
import { answerOf } from "../proof/plainProver.ts";

const lanes = 16;
const claimed = {
  figures: { bytes: 2n ** 22n, bytesPerSecond: 1_000n, operationsPerSecond: 1_000n },
  hardware: { kind: "cpu" as const, cores: 1 },
};
/** In so short a time a core makes up few of the reads. */
const milliseconds = { chase: 1, work: 1 };
const claim = claimOf({ milliseconds });
const result = answerOf(claim, { chase: { lanes, legs: 2 }, work: { lanes, legs: 1 } }).result();
const own = { nodeId: 7, device: 0 };
const others = [1, 2, 3].map((nodeId) => ({ nodeId, device: 0, value: blockHash(`${nodeId}`) }));
const trees = {
  chase: batchTree("chase", [...others, { ...own, value: chaseHashOf(result.chase) }]),
  answers: batchTree("answers", [...others, { ...own, value: commitmentOf(result) }]),
};
const placed = (batch: "chase" | "answers", measurerId: number) => ({
  measurerId,
  path: trees[batch].pathOf(own) ?? [],
});
const evidence: Evidence = { ...own, result, chase: placed("chase", 4), answers: placed("answers", 9) };
const chain: WaveChain = {
  hashes: claim.blocks,
  milliseconds,
  roots: {
    chase: [{ measurerId: 4, root: trees.chase.root }],
    answers: [{ measurerId: 9, root: trees.answers.root }],
  },
};

describe("evidence of what a device proved", () => {
  it("is accepted with roots of two measurers, and shows shares of the claim", () => {
    expect(judgeEvidence(evidence, claimed, chain)).to.deep.include({ accepted: true, measurerIds: [4, 9] });
  });

  it("is refused when no root in time has the answer", () => {
    const late = { ...chain, roots: { ...chain.roots, answers: [] } };
    expect(judgeEvidence(evidence, claimed, late)).to.include({ accepted: false, reason: "not_committed" });
    const moved = { ...evidence, chase: { ...evidence.chase, measurerId: 9 } };
    expect(judgeEvidence(moved, claimed, chain)).to.include({ accepted: false, reason: "not_committed" });
  });

  it("is refused for an answer that was changed after its root", () => {
    const more = { ...evidence, result: { ...result, chase: { ...result.chase, legs: 4 } } };
    expect(judgeEvidence(more, claimed, chain)).to.include({ accepted: false, reason: "not_committed" });
  });

  it("is refused for another device, another wave and a planted transcript", () => {
    expect(judgeEvidence({ ...evidence, nodeId: 8 }, claimed, chain)).to.include({ reason: "not_committed" });
    const otherWave = { ...chain, hashes: { ...chain.hashes, audit: blockHash("another") } };
    expect(judgeEvidence(evidence, claimed, otherWave)).to.include({ reason: "other_challenge" });
    const transcript = Uint8Array.from(result.transcript);
    transcript[100] = (transcript[100] ?? 0) ^ 1;
    const planted = { ...evidence, result: { ...result, transcript } };
    expect(judgeEvidence(planted, claimed, chain)).to.include({ accepted: false });
  });
});
