import type { Queryable } from "@ngpu/db/pool";
import { type JudgedWave, knownDevices, lookedAt, type WaveOutcome } from "@ngpu/waves/history";
import { type Proofs, proofsOf } from "@ngpu/waves/proofs";
import { countedWaves, type Rules } from "@ngpu/waves/rules";
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
  const keysOf = waveKeys(terms);
  const passed = new Map<string, ReadonlyMap<string, bigint>>();
  return async (db, row) => {
    const wave = await readWave(db, row, terms);
    const verdict = waveVerdict({ ...wave, known: await knownBefore(db, row, wave.rules) }, wave.rules);
    const [key] = await keysOf(db, [row]);
    note(passed, key, passedBytes(verdict));
    return { ...wave, verdict };
  };

  /** Whether a device passed does not depend on whether the wave was held, so earlier waves need none before them. */
  async function knownBefore(db: Queryable, { waveId, fillBlock }: WaveRow, rules: Rules) {
    const rows = await readWaves(db, BigInt(fillBlock), { before: waveId, limit: rules.counted });
    const keys = await keysOf(db, rows);
    const before = await Promise.all(
      rows.map(async (row, place) => {
        const key = keys[place];
        const known = key === undefined ? undefined : passed.get(key);
        if (known !== undefined) return known;
        const wave = await readWave(db, row, terms);
        const own = passedBytes(waveVerdict(wave, wave.rules));
        note(passed, key, own);
        return own;
      }),
    );
    return knownDevices(before.reverse(), rules);
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
  const keysOf = waveKeys(terms);
  const { revealed: length } = blocksOf(0, terms);
  return {
    upTo: async (db, block) => {
      const until = block - BigInt(length);
      const [newest] = await readWaves(db, until, { before: null, limit: 1 });
      if (newest === undefined) return proofsOf([]);
      const [key] = await keysOf(db, [newest]);
      if (key !== undefined && last?.key === key) return last.proofs;
      const proofs = proofsOf(await outcomesUpTo(db, newest, until));
      last = key === undefined ? undefined : { key, proofs };
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
      const keys = await keysOf(db, rows);
      for (const [place, row] of rows.entries()) {
        const key = keys[place];
        const known = (key === undefined ? undefined : judged.get(key)) ?? slim(await judge(db, row));
        if (key !== undefined) {
          judged.set(key, known);
          seen.set(key, known);
        }
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

/**
 * Names the verdicts on waves, in memory: by the hash of the last block whose logs count. After a reorganization the same wave
 * may have other reveals. Undefined: that block is not exported.
 */
export function waveKeys(terms: WaveTerms): (db: Queryable, rows: readonly WaveRow[]) => Promise<WaveKey[]> {
  const { revealed: length } = blocksOf(0, terms);
  return async (db, rows) => {
    const { rows: found } = await db.query<{ number: number; hash: string }>(
      "select number::float8 as number, hash from chain.block where number = any($1::bigint[])",
      [rows.map(({ fillBlock }) => fillBlock + length)],
    );
    const hashes = new Map(found.map(({ number, hash }) => [number, hash]));
    return rows.map(({ waveId, fillBlock }) => {
      const hash = hashes.get(fillBlock + length);
      return hash === undefined ? undefined : `${waveId} ${hash}`;
    });
  };
}

export type WaveKey = string | undefined;

/** Of an earlier wave only the verdicts count. */
function slim({ waveId, blocks, rules, verdict }: WaveOutcome): WaveOutcome {
  const devices = verdict.devices.map(({ nodeId, device, outcome, proven }) => {
    return { nodeId, device, outcome, proven };
  });
  return { waveId, blocks, rules, challenged: [], verdict: { held: verdict.held, devices } };
}

function note<Value>(known: Map<string, Value>, key: WaveKey, value: Value): void {
  if (key === undefined) return;
  known.set(key, value);
  const [oldest] = known.keys();
  if (known.size > keptWaves && oldest !== undefined) known.delete(oldest);
}
