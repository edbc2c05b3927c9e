import type { Queryable } from "@ngpu/db/pool";
import { countedWaves, type WaveOutcome } from "@ngpu/waves/history";
import { type Proofs, proofsOf } from "@ngpu/waves/proofs";
import { blocksOf, type WaveTerms } from "@ngpu/waves/schedule";
import { waveVerdict } from "@ngpu/waves/verdict";
import { readWave, readWaves, type WaveRow } from "./waves.ts";

/** Waves that are read at once, and verdicts that are kept in memory. A verdict never changes on one chain. */
const page = 60;
const keptVerdicts = 128;

/** What waves proved, by blocks. */
export type WaveProofs = {
  /** As the waves say whose reveals have ended by a block. @param db Has exported that block. */
  upTo: (db: Queryable, block: bigint) => Promise<Proofs>;
};

/** Reads what waves proved from the exported chain. Each wave is judged once. */
export function createWaveProofs(terms: WaveTerms): WaveProofs {
  const judged = new Map<string, WaveOutcome>();
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

  /** The last waves, oldest first: as many held ones as standings look back on. */
  async function outcomesUpTo(db: Queryable, newest: WaveRow, until: bigint): Promise<WaveOutcome[]> {
    const first = await judge(db, newest);
    const found = [first];
    let held = first.verdict.held ? 1 : 0;
    let before = newest.waveId;
    while (held < countedWaves(first.rules)) {
      const rows = await readWaves(db, until, { before, limit: page });
      for (const row of rows) {
        const known = judged.get(keyOf(row)) ?? slim(await judge(db, row));
        judged.set(keyOf(row), known);
        found.push(known);
        held += known.verdict.held ? 1 : 0;
      }
      const oldest = rows.at(-1);
      if (oldest === undefined) break;
      before = oldest.waveId;
    }
    for (const key of judged.keys()) if (judged.size > keptVerdicts) judged.delete(key);
    return found.reverse();
  }

  async function judge(db: Queryable, row: WaveRow): Promise<WaveOutcome> {
    const wave = await readWave(db, row, terms);
    return { ...wave, verdict: waveVerdict(wave, wave.rules) };
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
