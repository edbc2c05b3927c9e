import type { WaveTerms } from "./schedule.ts";
import { type Standing, standingOf } from "./standing.ts";
import { type DeviceVerdict, keyOf, type Shares, type WaveLog, type WaveVerdict } from "./types.ts";
import { waveVerdict } from "./verdict.ts";
import { type ChallengedDevice, type Wave, waveOf, wavesIn } from "./waveLogs.ts";

/** Shares that evidence shows, by wave and then by device. */
export type EvidenceByWave = ReadonlyMap<number, ReadonlyMap<string, Shares>>;

export type JudgedWave = Wave & { verdict: WaveVerdict };

/** A device after waves: what is claimed, its last verdicts in held waves, and what counts. */
export type DeviceHistory = { claimed: ChallengedDevice; verdicts: DeviceVerdict[]; standing: Standing };

/** Every wave whose reveals have ended by a block, with its verdict. */
export function judgedWaves(
  logs: readonly WaveLog[],
  terms: WaveTerms,
  until: bigint,
  evidence: EvidenceByWave = new Map(),
): JudgedWave[] {
  return wavesIn(logs).flatMap((waveId) => {
    const wave = waveOf(logs, waveId, terms);
    if (wave === undefined || BigInt(wave.blocks.revealed) > until) return [];
    const shown = evidence.get(waveId);
    return [
      {
        ...wave,
        verdict: waveVerdict(shown === undefined ? wave : { ...wave, evidence: shown }, wave.rules),
      },
    ];
  });
}

/** What counts of each device that the last wave challenged, by `keyOf`. Waves that were not held are left out. */
export function historiesOf(waves: readonly JudgedWave[]): Map<string, DeviceHistory> {
  const last = waves.at(-1);
  if (last === undefined) return new Map();
  const verdicts = new Map<string, DeviceVerdict[]>();
  for (const { verdict } of waves) {
    if (!verdict.held) continue;
    for (const device of verdict.devices)
      verdicts.set(keyOf(device), [...(verdicts.get(keyOf(device)) ?? []), device]);
  }
  return new Map(
    last.challenged.map((claimed) => {
      const own = verdicts.get(keyOf(claimed)) ?? [];
      return [
        keyOf(claimed),
        { claimed, verdicts: own, standing: standingOf(own, claimed.figures, last.rules) },
      ];
    }),
  );
}
