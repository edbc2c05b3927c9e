import type { Candidate } from "@ngpu/waves/draw";
import { drawMeasurers } from "@ngpu/waves/draw";
import { type Exception, encodeExceptions } from "@ngpu/waves/exceptions";
import { defaultRules } from "@ngpu/waves/rules";
import { beginsAt, blocksOf, nextAfter, stages } from "@ngpu/waves/schedule";
import { noShares } from "@ngpu/waves/shares";
import { type Hex, keccak256, numberToHex, pad } from "viem";
import { leadSeconds, type Market } from "./market.ts";
import { addressOf, type GeneratedNode, measurers } from "./nodes.ts";
import type { Absences } from "./presence.ts";

/** Writes every wave that a block of the day begins. */
export function writeWaves(market: Market, nodes: readonly GeneratedNode[], isAbsent: Absences): void {
  const { blockAt, dayBegin, upTo, hashOf, deployment } = market;
  const terms = deployment.parameters.waves;
  let waveId = 0;
  let next = blockAt(dayBegin - leadSeconds / 4);
  for (let block = next; block < upTo; block++) {
    if (block < next || !beginsAt({ number: block, hash: hashOf(block) }, terms)) continue;
    const blocks = blocksOf(block, terms);
    if (blocks.revealed >= blockAt(market.dayEnd)) return;
    waveId += 1;
    writeWave(market, { waveId, blocks, exceptions: exceptionsOf(market, nodes, { block, isAbsent }) });
    next = nextAfter(blocks);
  }
}

type Written = { waveId: number; blocks: ReturnType<typeof blocksOf>; exceptions: readonly Exception[] };

function writeWave({ add, hashOf }: Market, { waveId, blocks, exceptions }: Written): void {
  const fillHash = hashOf(blocks.fill);
  add("ProofWaves", "WaveOpened", blocks.fill + 1, { waveId, fillBlock: blocks.fill, fillHash });
  add("ProofWaves", "WaveSeedsRecorded", blocks.audit + 1, {
    waveId,
    chaseHash: hashOf(blocks.chase),
    workHash: hashOf(blocks.work),
    auditHash: hashOf(blocks.audit),
  });
  const list = encodeExceptions(exceptions);
  const candidates = Array.from({ length: measurers }, (_, place): Candidate => {
    return { measurerId: place + 1, operator: addressOf(0xe1, place + 1) };
  });
  const drawn = drawMeasurers(candidates, fillHash, defaultRules.drawn);
  for (const { measurerId } of drawn) {
    const ids = { waveId, measurerId };
    const root = (stage: number): Hex =>
      keccak256(pad(numberToHex((waveId * measurers + measurerId) * 4 + stage), { size: 32 }));
    const post = (stage: number, block: number) =>
      add("ProofWaves", "WavePosted", block, { ...ids, stage, root: root(stage) });
    post(stages.chase, blocks.work);
    post(stages.answers, blocks.answered);
    post(stages.results, blocks.audit + 1);
    add("ProofWaves", "WaveRevealed", blocks.revealed, {
      ...ids,
      results: root(2),
      transcripts: root(3),
      exceptions: keccak256(list),
    });
  }
  add("ProofWaves", "ExceptionsPublished", blocks.revealed, { waveId, exceptions: keccak256(list), list });
}

/** Nodes that are away prove nothing, and a device of some others too little. */
function exceptionsOf(
  { timeOf, random }: Market,
  nodes: readonly GeneratedNode[],
  { block, isAbsent }: { block: number; isAbsent: Absences },
): Exception[] {
  const slot = Math.floor(timeOf(block) / 60);
  return nodes.flatMap(({ nodeId, devices }): Exception[] => {
    if (isAbsent(nodeId, slot)) return devices.map((_, device) => ({ nodeId, device, shares: noShares }));
    if (random() > 0.01) return [];
    return [{ nodeId, device: 0, shares: { memory: 180, bandwidth: 240, arithmetic: 240 } }];
  });
}
