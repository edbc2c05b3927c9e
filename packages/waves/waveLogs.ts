import type { Hex } from "viem";
import { type ClaimedDevice, decodeDevice } from "./claims.ts";
import { type Candidate, drawMeasurers, generationOf, mayPost } from "./draw.ts";
import type { PostedRoot } from "./evidence.ts";
import { decodeExceptions } from "./exceptions.ts";
import { followMarket, type MarketBefore, marketBefore } from "./marketLogs.ts";
import { defaultRules, type Rules, rulesFor, unpackRules } from "./rules.ts";
import { blocksOf, stages, type WaveBlocks, type WaveTerms } from "./schedule.ts";
import type { Challenged, Statement, WaveLog } from "./types.ts";

/** The events that waves depend on, by contract. */
export const waveEvents = {
  ProofWaves: [
    "WaveOpened",
    "WaveSeedsRecorded",
    "HardwareClaimed",
    "WaveRulesSet",
    "WavePosted",
    "WaveRevealed",
    "ExceptionsPublished",
  ],
  Measure: ["MeasurerRegistered", "MeasurerAdmissionSet"],
  ComputeNode: ["NodeRegistered", "NodeKeySet", "NodeWalletSet"],
  DockerContract: ["Assigned", "Released"],
} as const;

/** A claim, with the hardware that bounds what the device can make up. */
export type ChallengedDevice = Challenged & { claimed: ClaimedDevice };

/** A wave as the logs describe it. */
export type Wave = {
  waveId: number;
  blocks: WaveBlocks;
  fillHash: Hex;
  /** The hashes that were recorded; undefined until then. */
  seeds: { chase: Hex; work: Hex; audit: Hex } | undefined;
  rules: Rules;
  drawn: Candidate[];
  /** Roots that drawn measurers posted. */
  roots: Record<"chase" | "answers", PostedRoot[]>;
  challenged: ChallengedDevice[];
  statements: (Statement & { results: Hex; transcripts: Hex })[];
  /** Drawn measurers that committed to results and did not reveal them, with their list, in time. */
  withheld: number[];
};

/** The numbers of the opened waves, in their order: those of a later generation are higher. */
export function wavesIn(logs: readonly WaveLog[]): number[] {
  const opened = logs.filter(({ name }) => name === "WaveOpened");
  return opened.map(({ args }) => Number(args.waveId)).sort((a, b) => a - b);
}

/** A wave from logs alone; undefined for one that was not opened. */
export function waveOf(logs: readonly WaveLog[], waveId: number, terms: WaveTerms): Wave | undefined {
  const own = logs.filter(({ args }) => args.waveId !== undefined && Number(args.waveId) === waveId);
  const opened = own.find(({ name }) => name === "WaveOpened");
  if (opened === undefined) return undefined;
  const fillBlock = Number(opened.args.fillBlock);
  // What is signed or changed in or after the first block is too late: its hash is known there.
  const market = marketBefore(logs, BigInt(fillBlock));
  const rules = rulesBefore(logs, BigInt(fillBlock));
  return assembleWave({
    waveId,
    fillBlock,
    fillHash: opened.args.fillHash as Hex,
    own,
    market,
    rules,
    terms,
  });
}

/** Every wave that was opened, in one pass over the logs for each generation: a year has thousands of waves. */
export function* eachWave(logs: readonly WaveLog[], terms: WaveTerms): Generator<Wave> {
  const byWave = Map.groupBy(logs, ({ args }) =>
    args.waveId === undefined ? undefined : Number(args.waveId),
  );
  const others = (byWave.get(undefined) ?? []).toSorted((a, b) => Number(a.block - b.block));
  // A generation's waves begin in their order; those of two generations may begin in any.
  for (const waveIds of Map.groupBy(wavesIn(logs), generationOf).values()) {
    const market = followMarket();
    let rules = defaultRules;
    let next = 0;
    for (const waveId of waveIds) {
      const own = byWave.get(waveId) ?? [];
      const opened = own.find(({ name }) => name === "WaveOpened");
      if (opened === undefined) continue;
      const fillBlock = Number(opened.args.fillBlock);
      for (let log = others[next]; log !== undefined && log.block < BigInt(fillBlock); log = others[next]) {
        market.take(log);
        if (log.name === "WaveRulesSet") rules = rulesOf(log);
        next += 1;
      }
      const fillHash = opened.args.fillHash as Hex;
      yield assembleWave({ waveId, fillBlock, fillHash, own, market: market.now(), rules, terms });
    }
  }
}

/** What a wave consists of, wherever it was read from. */
export type WaveParts = {
  waveId: number;
  fillBlock: number;
  fillHash: Hex;
  /** The wave's logs after its opening. */
  own: readonly WaveLog[];
  /** The market before the first block. */
  market: MarketBefore;
  rules: Rules;
  terms: WaveTerms;
};

/** Puts a wave together: draws its measurers, and takes what they posted. */
export function assembleWave({ waveId, fillBlock, fillHash, own, market, rules, terms }: WaveParts): Wave {
  const blocks = blocksOf(fillBlock, terms);
  const candidates = market.measurers.filter(({ measurerId }) => mayPost(measurerId, waveId));
  const drawn = drawMeasurers(candidates, fillHash, rules.drawn);
  const posts = postsOf(own, drawn);
  const statements = statementsOf(own, drawn, blocks);
  const stated = new Set(statements.map(({ measurerId }) => measurerId));
  return {
    waveId,
    blocks,
    fillHash,
    seeds: seedsOf(own),
    rules: rulesFor(drawn.length, rules),
    drawn,
    roots: { chase: posts(stages.chase), answers: posts(stages.answers) },
    challenged: challengedOf(market),
    statements,
    withheld: posts(stages.results).flatMap(({ measurerId }) => (stated.has(measurerId) ? [] : [measurerId])),
  };
}

function challengedOf({ claims, operators, leased }: MarketBefore): ChallengedDevice[] {
  return [...claims].flatMap(([nodeId, words]) =>
    words.map((word, device) => {
      const claimed = decodeDevice(word);
      const operator = operators.get(nodeId) ?? "";
      return { nodeId, device, figures: claimed.figures, operator, leased: leased.has(nodeId), claimed };
    }),
  );
}

function rulesBefore(logs: readonly WaveLog[], block: bigint): Rules {
  const set = logs.findLast((log) => log.name === "WaveRulesSet" && log.block < block);
  return set === undefined ? defaultRules : rulesOf(set);
}

function rulesOf({ args }: WaveLog): Rules {
  return unpackRules(args.rules as Parameters<typeof unpackRules>[0]);
}

function seedsOf(own: readonly WaveLog[]): Wave["seeds"] {
  const recorded = own.find(({ name }) => name === "WaveSeedsRecorded");
  if (recorded === undefined) return undefined;
  const { chaseHash, workHash, auditHash } = recorded.args as Record<string, Hex>;
  return { chase: chaseHash as Hex, work: workHash as Hex, audit: auditHash as Hex };
}

/** What drawn measurers posted, by stage. The contract accepts posts in their blocks alone, and each once. */
function postsOf(own: readonly WaveLog[], drawn: readonly Candidate[]) {
  const ids = new Set(drawn.map(({ measurerId }) => measurerId));
  const posted = own.filter(({ name, args }) => name === "WavePosted" && ids.has(Number(args.measurerId)));
  return (stage: number): PostedRoot[] =>
    posted
      .filter(({ args }) => Number(args.stage) === stage)
      .map(({ args }) => ({ measurerId: Number(args.measurerId), root: args.root as Hex }));
}

function statementsOf(own: readonly WaveLog[], drawn: readonly Candidate[], { revealed }: WaveBlocks) {
  const lists = new Map<string, Hex>();
  for (const { name, args, block } of own) {
    const isTimely = name === "ExceptionsPublished" && block <= BigInt(revealed);
    if (isTimely) lists.set(String(args.exceptions), args.list as Hex);
  }
  return own.flatMap(({ name, args }) => {
    const measurer = drawn.find(({ measurerId }) => measurerId === Number(args.measurerId));
    const list = lists.get(String(args.exceptions));
    const exceptions = list === undefined ? undefined : decodeExceptions(list);
    if (name !== "WaveRevealed" || measurer === undefined || exceptions === undefined) return [];
    const { results, transcripts } = args as Record<string, Hex>;
    return [{ ...measurer, exceptions, results: results as Hex, transcripts: transcripts as Hex }];
  });
}
