import type { Queryable } from "@ngpu/db/pool";
import { countedWaves, type JudgedWave, knownDevices, lookedAt, type WaveOutcome } from "@ngpu/waves/history";
import { type Proofs, proofsOf } from "@ngpu/waves/proofs";
import type { Rules } from "@ngpu/waves/rules";
import { blocksOf, type WaveTerms } from "@ngpu/waves/schedule";
import { passedBytes, waveVerdict } from "@ngpu/waves/verdict";
import { readWave, readWaves, type WaveRow } from "./waves.ts";

/** Waves that are read at once. */
const page = 60;
/** Waves of which it is kept what devices proved. */
const keptWaves = 128;

/** Judges waves whose reveals have ended, from the exported chain. */
export type WaveJudge = (db: Queryable, row: WaveRow) => Promise<JudgedWave>;

/** Reads what each wave needs of those before once. */
export function createWaveJudge(terms: WaveTerms): WaveJudge {
  const passed = new Map<string, ReadonlyMap<string, bigint>>();
  return async (db, row) => {
    const wave = await readWave(db, row, terms);
    const verdict = waveVerdict({ ...wave, known: await knownBefore(db, row, wave.rules) }, wave.rules);
    note(passed, keyOf(row), passedBytes(verdict));
    return { ...wave, verdict };
  };

  /** Whether a device passed does not depend on whether the wave was held, so earlier waves need none before them. */
  async function knownBefore(db: Queryable, { waveId, fillBlock }: WaveRow, rules: Rules) {
    const rows = await readWaves(db, BigInt(fillBlock), { before: waveId, limit: rules.counted });
    const before = await Promise.all(
      rows.reverse().map(async (row) => {
        const known = passed.get(keyOf(row));
        if (known !== undefined) return known;
        const wave = await readWave(db, row, terms);
        const own = passedBytes(waveVerdict(wave, wave.rules));
        note(passed, keyOf(row), own);
        return own;
      }),
    );
    return knownDevices(before, rules);
  }
}

/** What waves proved, by blocks. */
export type WaveProofs = {
  /** As the waves say whose reveals have ended by a block. @param db Has exported that block. */
  upTo: (db: Queryable, block: bigint) => Promise<Proofs>;
};

/** Reads what waves proved from the exported chain. Each wave is judged once. */
export function createWaveProofs(terms: WaveTerms): WaveProofs {
  const judge = createWaveJudge(terms);
  // A verdict never changes on one chain.
  let judged = new Map<string, WaveOutcome>();
  let last: { key: string; proofs: Proofs } | undefined;
  const { revealed: length } = blocksOf(0, terms);
  return {
    upTo: async (db, block) => {
      const until = block - BigInt(length);
      const [newest] = await readWaves(db, until, { before: null, limit: 1 });
      const key = newest === undefined ? "" : keyOf(newest);
      if (last?.key === key) return last.proofs;
      const proofs = proofsOf(newest === undefined ? [] : await outcomesUpTo(db, newest, until));
      last = { key, proofs };
      return proofs;
    },
  };

  /** The last waves, oldest first: as many held ones as standings look back on, of those that are looked at. */
  async function outcomesUpTo(db: Queryable, newest: WaveRow, until: bigint): Promise<WaveOutcome[]> {
    const first = await judge(db, newest);
    const found: WaveOutcome[] = [first];
    let held = first.verdict.held ? 1 : 0;
    let before = newest.waveId;
    const seen = new Map<string, WaveOutcome>();
    while (held < countedWaves(first.rules) && found.length < lookedAt(first.rules)) {
      const limit = Math.min(page, lookedAt(first.rules) - found.length);
      const rows = await readWaves(db, until, { before, limit });
      for (const row of rows) {
        const known = judged.get(keyOf(row)) ?? slim(await judge(db, row));
        judged.set(keyOf(row), known);
        seen.set(keyOf(row), known);
        found.push(known);
        held += known.verdict.held ? 1 : 0;
      }
      const oldest = rows.at(-1);
      if (oldest === undefined) break;
      before = oldest.waveId;
    }
    // What was not needed now will not be needed later.
    judged = seen;
    return found.reverse();
  }
}

/** The hash: after a reorganization the same number is another wave. */
const keyOf = ({ waveId, fillHash }: WaveRow) => `${waveId} ${fillHash}`;

/** Of an earlier wave only the verdicts count. */
function slim({ waveId, blocks, rules, verdict }: WaveOutcome): WaveOutcome {
  const devices = verdict.devices.map(({ nodeId, device, outcome, proven }) => {
    return { nodeId, device, outcome, proven };
  });
  return { waveId, blocks, rules, challenged: [], verdict: { held: verdict.held, devices } };
}

function note<Value>(known: Map<string, Value>, key: string, value: Value): void {
  known.set(key, value);
  const [oldest] = known.keys();
  if (known.size > keptWaves && oldest !== undefined) known.delete(oldest);
}
