import { type EvidenceVerdict, judgeEvidence, type WaveChain } from "@ngpu/waves/evidence";
import { judgedWaves, knownDevices } from "@ngpu/waves/history";
import { beginsAt, type WaveTerms, windowOf } from "@ngpu/waves/schedule";
import { keyOf, type Shares, type WaveLog, type WaveVerdict } from "@ngpu/waves/types";
import { passedBytes, waveVerdict } from "@ngpu/waves/verdict";
import type { Wave } from "@ngpu/waves/waveLogs";
import type { Hex } from "viem";
import type { EvidenceFile } from "./evidenceFiles.ts";

/** A block as an endpoint gives it. */
export type Header = { hash: Hex; time: number };

/** Hashes and times of the wave's blocks; undefined for one that does not exist yet. */
export type WaveHeaders = Partial<Record<"fill" | "chase" | "work" | "answered" | "audit", Header>>;

type Judged = EvidenceFile & { verdict: EvidenceVerdict };

export type WaveAudit = {
  checks: Record<string, boolean>;
  verdict: WaveVerdict;
  evidence: Judged[];
  /** Measurers whose statement about a device is another than its evidence shows, or that revealed nothing. */
  outliers: number[];
};

/** The checks of a wave that need no evidence; true: passed. */
type WaveChecks = Record<
  "firstBlockDrawn" | "firstBlockOnChain" | "seedsOnChain" | "postsInTheirBlocks",
  boolean
>;

/**
 * Compares a wave with the chain: that its first block was drawn, and that its seeds and posts are of their blocks.
 *
 * @param logs Those of the wave at least.
 */
export function checkWave(given: {
  wave: Wave;
  logs: readonly WaveLog[];
  terms: WaveTerms;
  headers: WaveHeaders;
}): WaveChecks {
  const { wave, logs, terms, headers } = given;
  return {
    firstBlockDrawn: beginsAt({ number: wave.blocks.fill, hash: wave.fillHash }, terms),
    firstBlockOnChain: headers.fill?.hash === wave.fillHash,
    seedsOnChain: areSeedsOnChain(wave, headers),
    postsInTheirBlocks: arePostsInTime(logs, wave),
  };
}

/**
 * Recomputes a wave: that its first block was drawn, that seeds and posts are of their blocks, what the
 * evidence shows, and the verdict.
 */
export function auditWave(given: {
  wave: Wave;
  logs: readonly WaveLog[];
  terms: WaveTerms;
  headers: WaveHeaders;
  evidence: readonly EvidenceFile[];
}): WaveAudit {
  const { wave, logs, terms, headers, evidence } = given;
  const judged = evidence.map((own) => ({ ...own, verdict: shownBy(own, wave, headers) }));
  const shown = new Map<string, Shares>();
  for (const { verdict, ...own } of judged) if (verdict.accepted) shown.set(keyOf(own), verdict.shares);
  const outliers = outliersOf(wave, shown);
  const ended = judgedWaves(logs, terms, BigInt(wave.blocks.revealed));
  const before = ended.filter(({ waveId }) => waveId < wave.waveId);
  const known = knownDevices(
    before.map(({ verdict }) => passedBytes(verdict)),
    wave.rules,
  );
  return {
    checks: {
      ...checkWave(given),
      evidenceAccepted: judged.every(({ verdict }) => verdict.accepted),
      statementsAgreeWithEvidence: !outliers.some((id) => !wave.withheld.includes(id)),
    },
    verdict: waveVerdict({ ...wave, known, evidence: shown }, wave.rules),
    evidence: judged,
    outliers,
  };
}

function shownBy(own: EvidenceFile, wave: Wave, headers: WaveHeaders): EvidenceVerdict {
  const chain = chainOf(wave, headers);
  const claimed = wave.challenged.find((device) => keyOf(device) === keyOf(own))?.claimed;
  const message = `Device ${own.device} of node ${own.nodeId} has no claim before wave ${wave.waveId}.`;
  if (own.waveId !== wave.waveId || claimed === undefined || chain === undefined)
    return { accepted: false, reason: "claim_invalid", message };
  return judgeEvidence(own, claimed, chain);
}

/** The chain's part of a proof; undefined before the audit's block. */
export function chainOf(wave: Wave, headers: WaveHeaders): WaveChain | undefined {
  const { fill, chase, work, answered, audit } = headers;
  if (!(fill && chase && work && answered && audit)) return undefined;
  return {
    hashes: { fill: fill.hash, chase: chase.hash, work: work.hash, audit: audit.hash },
    milliseconds: { chase: (work.time - chase.time) * 1_000, work: (answered.time - work.time) * 1_000 },
    roots: wave.roots,
  };
}

function areSeedsOnChain({ seeds }: Wave, { chase, work, audit }: WaveHeaders): boolean {
  if (seeds === undefined) return true;
  return seeds.chase === chase?.hash && seeds.work === work?.hash && seeds.audit === audit?.hash;
}

function arePostsInTime(logs: readonly WaveLog[], { waveId, blocks }: Wave): boolean {
  const order = ["chase", "answers", "results"] as const;
  return logs.every(({ name, args, block }) => {
    if ((name !== "WavePosted" && name !== "WaveRevealed") || Number(args.waveId) !== waveId) return true;
    const stage = name === "WaveRevealed" ? "reveal" : (order[Number(args.stage)] ?? "reveal");
    const { first, last } = windowOf(stage, blocks);
    return block >= BigInt(first) && block <= BigInt(last);
  });
}

/** A statement of more than the evidence shows is false; one of less may have lost the answer. */
function outliersOf(wave: Wave, shown: ReadonlyMap<string, Shares>): number[] {
  const liars = wave.statements.filter(({ exceptions }) =>
    [...shown].some(([key, shares]) => {
      const stated = exceptions.get(key);
      const isSilent = stated?.memory === 0 && stated.bandwidth === 0 && stated.arithmetic === 0;
      return !isSilent && !isSame(stated ?? { memory: 255, bandwidth: 255, arithmetic: 255 }, shares);
    }),
  );
  return [...new Set([...wave.withheld, ...liars.map(({ measurerId }) => measurerId)])].sort((a, b) => a - b);
}

function isSame(a: Shares, b: Shares): boolean {
  return a.memory === b.memory && a.bandwidth === b.bandwidth && a.arithmetic === b.arithmetic;
}
