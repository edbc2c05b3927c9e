import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Queryable } from "@ngpu/db/pool";
import { createWaveJudge, type WaveJudge, type WaveKey, waveKeys } from "@ngpu/queries/judgedWaves";
import { readWaves, type WaveRow } from "@ngpu/queries/waves";
import type { JudgedWave } from "@ngpu/waves/history";
import { blocksOf } from "@ngpu/waves/schedule";
import { isJudged } from "@ngpu/waves/standing";
import { keyOf } from "@ngpu/waves/types";

/** Verdicts that are kept. A verdict is computed for all nodes at once, and never changes on one chain. */
const keptVerdicts = 64;
/** Waves of one request, so that a node that is always leased does not make it read them all. */
const mostWaves = 60;

/** The waves whose reveals have ended, with their verdicts: newest first, each computed once. */
export function createJudgedWaves({ db, deployment }: { db: Queryable; deployment: Deployment }) {
  const judged = new Map<string, Promise<JudgedWave>>();
  let judgeWave: WaveJudge | undefined;

  return {
    /** Newest first, until each device of the node has as many verdicts as count. */
    forNode: async (nodeId: number): Promise<JudgedWave[]> => {
      const waves: JudgedWave[] = [];
      const { revealed: length } = blocksOf(0, deployment.parameters.waves);
      const until = (await exportedBlock(db)) - BigInt(length);
      const rows = await readWaves(db, until, { before: null, limit: mostWaves });
      const keys = await waveKeys(deployment.parameters.waves)(db, rows);
      for (const [place, row] of rows.entries()) {
        const wave = await judge(row, keys[place]);
        waves.push(wave);
        if (isEnough(waves, nodeId)) break;
      }
      return waves;
    },
  };

  function judge(row: WaveRow, key: WaveKey): Promise<JudgedWave> {
    const known = key === undefined ? undefined : judged.get(key);
    if (known !== undefined) return known;
    judgeWave ??= createWaveJudge(deployment.parameters.waves);
    const made = judgeWave(db, row);
    if (key === undefined) return made;
    judged.set(key, made);
    made.catch(() => judged.delete(key));
    const [oldest] = judged.keys();
    if (judged.size > keptVerdicts && oldest !== undefined) judged.delete(oldest);
    return made;
  }
}

async function exportedBlock(db: Queryable): Promise<bigint> {
  const { rows } = await db.query<{ number: string }>(
    "select number::text from chain.head where tier = 'unsafe'",
  );
  return BigInt(rows[0]?.number ?? 0);
}

/** Whether each device of the node has as many verdicts as count. @param waves Newest first. */
export function isEnough(waves: readonly JudgedWave[], nodeId: number): boolean {
  const [newest] = waves;
  if (newest === undefined) return false;
  const devices = newest.challenged.filter((device) => device.nodeId === nodeId);
  return devices.every((device) => {
    const counted = waves.filter(
      ({ verdict }) =>
        verdict.held && verdict.devices.some((own) => keyOf(own) === keyOf(device) && isJudged(own)),
    );
    return counted.length >= newest.rules.counted;
  });
}
