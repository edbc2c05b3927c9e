import { commitmentOf } from "@ngpu/proof/record";
import { encodeDevice } from "@ngpu/waves/claims";
import { chaseHashOf } from "@ngpu/waves/evidence";
import { blocksOf } from "@ngpu/waves/schedule";
import { batchTree } from "@ngpu/waves/tree";
import type { WaveLog } from "@ngpu/waves/types";
import { type Wave, waveOf } from "@ngpu/waves/waveLogs";
import { expect } from "chai";
import type { Hex } from "viem";
import type { EvidenceFile } from "../../cli/audit/evidenceFiles.ts";
import { auditWave, type WaveHeaders } from "../../cli/audit/waveAudit.ts";
import { answerOf } from "../packages/proof/plainProver.ts";
import {
  claimLog,
  drawnFrom,
  exception,
  hashOf,
  logOf,
  marketLogs,
  terms,
  waveLogs,
} from "../packages/waves/scriptedWaves.ts";

const fill = drawnFrom(20);
const blocks = blocksOf(fill, terms);
const small = {
  figures: { bytes: 2n ** 22n, bytesPerSecond: 1_000_000n, operationsPerSecond: 1_000_000n },
  hardware: { kind: "cpu" as const, cores: 1 },
};
const headers: Required<WaveHeaders> = {
  fill: { hash: hashOf(blocks.fill), time: 100 },
  chase: { hash: hashOf(blocks.chase), time: 112 },
  work: { hash: hashOf(blocks.work), time: 113 },
  answered: { hash: hashOf(blocks.answered), time: 114 },
  audit: { hash: hashOf(blocks.audit), time: 116 },
};
const lanes = 16;
const result = answerOf(
  {
    nodeId: 7n,
    device: 0,
    bytes: small.figures.bytes,
    blocks: {
      fill: headers.fill.hash,
      chase: headers.chase.hash,
      work: headers.work.hash,
      audit: headers.audit.hash,
    },
    milliseconds: { chase: 1_000, work: 1_000 },
    operationsLimit: 1n,
  },
  { chase: { lanes, legs: 2 }, work: { lanes, legs: 1 } },
).result();
const own = { nodeId: 7, device: 0 };
const chase = batchTree("chase", [{ ...own, value: chaseHashOf(result.chase) }]);
const answers = batchTree("answers", [{ ...own, value: commitmentOf(result) }]);
const base = [...marketLogs({ nodes: 10, measurers: 7 }), claimLog(7, [encodeDevice(small)], 4)];
const seven = [1, 2, 3, 4, 5, 6, 7];

const evidence: EvidenceFile = {
  ...own,
  waveId: 1,
  file: "evidence.json",
  result,
  chase: { measurerId: 1, path: chase.pathOf(own) ?? [] },
  answers: { measurerId: 2, path: answers.pathOf(own) ?? [] },
};

function audit(given: { logs?: WaveLog[]; headers?: WaveHeaders; evidence?: EvidenceFile[] } = {}) {
  const lists = Object.fromEntries(seven.map((id) => [id, [exception(7, 0)]]));
  const roots = { chase: chase.root, answers: answers.root };
  const logs = given.logs ?? [...base, ...waveLogs(1, fill, { lists, roots })];
  const wave = waveOf(logs, 1, terms) as Wave;
  return auditWave({ wave, logs, terms, headers: given.headers ?? headers, evidence: given.evidence ?? [] });
}

const at = (header: { hash: Hex }, time: number) => ({ ...header, time });
const failed = (checks: Record<string, boolean>) =>
  Object.entries(checks).flatMap(([name, passed]) => (passed ? [] : [name]));

describe("verify wave", () => {
  it("finds nothing in a wave that is as the chain says", () => {
    const found = audit();
    expect(failed(found.checks)).to.deep.equal([]);
    expect(found.verdict.devices.find(({ nodeId }) => nodeId === 7)?.outcome).to.equal("failed");
    expect(found.outliers).to.deep.equal([]);
  });

  it("finds a first block that was not drawn, or is not on the chain", () => {
    const moved = { ...headers, fill: { hash: hashOf("another"), time: 100 } };
    expect(failed(audit({ headers: moved }).checks)).to.deep.equal(["firstBlockOnChain"]);
    const undrawn =
      Array.from({ length: 20 }, (_, at) => 20 + 2 * at).find((block) => drawnFrom(block) !== block) ?? 0;
    const logs = [...base, ...waveLogs(1, undrawn, { lists: { 1: [] } })];
    expect(failed(audit({ logs }).checks)).to.include("firstBlockDrawn");
  });

  it("finds a recorded seed that is not of its block", () => {
    const other = { ...headers, work: { ...headers.work, hash: hashOf("another") } };
    expect(failed(audit({ headers: other }).checks)).to.deep.equal(["seedsOnChain"]);
  });

  it("finds a root outside its blocks", () => {
    const late = logOf(
      "WavePosted",
      { waveId: 1, measurerId: 1, stage: 0, root: chase.root },
      blocks.work + 1,
    );
    const logs = [...base, ...waveLogs(1, fill, { lists: { 1: [] } }), late];
    expect(failed(audit({ logs }).checks)).to.deep.equal(["postsInTheirBlocks"]);
  });

  it("finds a planted transcript", () => {
    const transcript = Uint8Array.from(result.transcript);
    transcript[200] = (transcript[200] ?? 0) ^ 1;
    const planted = { ...evidence, result: { ...result, transcript } };
    const found = audit({ evidence: [planted] });
    expect(failed(found.checks)).to.deep.equal(["evidenceAccepted"]);
  });

  it("finds an answer that no measurer received in time, and one of another wave or unclaimed device", () => {
    for (const change of [{ chase: { ...evidence.chase, measurerId: 9 } }, { waveId: 2 }, { device: 1 }])
      expect(failed(audit({ evidence: [{ ...evidence, ...change }] }).checks)).to.deep.equal([
        "evidenceAccepted",
      ]);
  });

  it("decides by evidence, and names the measurers that stated something else or nothing", () => {
    // In a thousandth of a second a core makes up few of the reads.
    const fast = {
      ...headers,
      chase: at(headers.chase, 0),
      work: at(headers.work, 0.001),
      answered: at(headers.answered, 0.002),
    };
    const [shown] = audit({ headers: fast, evidence: [evidence] }).evidence;
    const shares = shown?.verdict.accepted ? shown.verdict.shares : undefined;
    if (shares === undefined) throw new Error("The evidence was not accepted.");
    const lists = {
      1: [{ ...own, shares }],
      2: [{ ...own, shares }],
      3: [exception(7, 0)],
      4: [exception(7, 0)],
      5: [exception(7, 100)],
      6: [],
    };
    const roots = { chase: chase.root, answers: answers.root };
    const logs = [...base, ...waveLogs(1, fill, { lists, roots, withholding: [7] })];
    const alone = audit({ headers: fast, logs });
    expect(alone.verdict.devices.find(({ nodeId }) => nodeId === 7)).to.include({
      outcome: "undecided",
      contested: true,
    });
    expect(alone.outliers).to.deep.equal([7]);
    const found = audit({ headers: fast, logs, evidence: [evidence] });
    expect(found.verdict.devices.find(({ nodeId }) => nodeId === 7)).to.deep.include({
      outcome: "passed",
      shares,
    });
    expect(found.outliers).to.deep.equal([5, 6, 7]);
    expect(failed(found.checks)).to.deep.equal(["statementsAgreeWithEvidence"]);
  });
});
