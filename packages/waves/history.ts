import { countedWaves, type Rules } from "./rules.ts";
import type { WaveTerms } from "./schedule.ts";
import { type Standing, standingOf } from "./standing.ts";
import {
  type DeviceRef,
  type DeviceVerdict,
  keyOf,
  type Shares,
  type WaveLog,
  type WaveVerdict,
} from "./types.ts";
import { passedBytes, waveVerdict } from "./verdict.ts";
import { type ChallengedDevice, eachWave, type Wave } from "./waveLogs.ts";

/** Shares that evidence shows, by wave and then by device. */
export type EvidenceByWave = ReadonlyMap<number, ReadonlyMap<string, Shares>>;

export type JudgedWave = Wave & { verdict: WaveVerdict };

/** The part of a judged wave that standings need; only the last one needs its challenged devices. */
export type WaveOutcome = Pick<JudgedWave, "waveId" | "blocks" | "rules" | "challenged"> & {
  verdict: { held: boolean; devices: readonly (DeviceRef & Pick<DeviceVerdict, "outcome" | "proven">)[] };
};

/** A device after waves: what is claimed, its last verdicts in held waves, and what counts. */
type Verdict = WaveOutcome["verdict"]["devices"][number];
export type DeviceHistory = { claimed: ChallengedDevice; verdicts: Verdict[]; standing: Standing };

/** Every wave whose reveals have ended by a block, with its verdict. */
export function judgedWaves(
  logs: readonly WaveLog[],
  terms: WaveTerms,
  until: bigint,
  evidence: EvidenceByWave = new Map(),
): JudgedWave[] {
  const passed: Map<string, bigint>[] = [];
  const judged: JudgedWave[] = [];
  for (const wave of eachWave(logs, terms)) {
    if (BigInt(wave.blocks.revealed) > until) break;
    const known = knownDevices(passed, wave.rules);
    const shown = evidence.get(wave.waveId);
    const facts = shown === undefined ? { ...wave, known } : { ...wave, known, evidence: shown };
    const verdict = waveVerdict(facts, wave.rules);
    passed.push(passedBytes(verdict));
    judged.push({ ...wave, verdict });
  }
  return judged;
}

/**
 * The devices whose failures tell a lost wave, each with the sum of what it proved in the waves that count. So cards that
 * answer for several names in turn weigh together no more than themselves.
 *
 * @param passed `passedBytes` of each of the waves before, oldest first.
 */
export function knownDevices(
  passed: readonly ReadonlyMap<string, bigint>[],
  { counted }: Rules,
): Map<string, bigint> {
  const known = new Map<string, bigint>();
  for (const wave of passed.slice(-counted))
    for (const [key, bytes] of wave) known.set(key, (known.get(key) ?? 0n) + bytes);
  return known;
}

/** Waves, held or not, that are looked at: so many that the held ones among them are usually enough. */
export function lookedAt(rules: Rules): number {
  return 4 * countedWaves(rules);
}

/**
 * The held waves that count after the last one: of those that are looked at, the last `countedWaves`.
 *
 * @param waves Oldest first.
 */
export function heldOf(waves: readonly WaveOutcome[]): WaveOutcome[] {
  const rules = waves.at(-1)?.rules;
  if (rules === undefined) return [];
  const seen = waves.slice(-lookedAt(rules));
  return seen.filter(({ verdict }) => verdict.held).slice(-countedWaves(rules));
}

/**
 * What counts of each device that the last wave challenged, by `keyOf`, after the waves of `heldOf`. Nothing counts of a device that had no claim in the last held one.
 *
 * @param waves Oldest first.
 */
export function historiesOf(waves: readonly WaveOutcome[]): Map<string, DeviceHistory> {
  const last = waves.at(-1);
  if (last === undefined) return new Map();
  const verdicts = new Map<string, Verdict[]>();
  const held = heldOf(waves);
  for (const { verdict } of held) {
    for (const device of verdict.devices)
      verdicts.set(keyOf(device), [...(verdicts.get(keyOf(device)) ?? []), device]);
  }
  const current = new Set(held.at(-1)?.verdict.devices.map(keyOf));
  return new Map(
    last.challenged.map((claimed) => {
      const own = current.has(keyOf(claimed)) ? (verdicts.get(keyOf(claimed)) ?? []) : [];
      return [
        keyOf(claimed),
        { claimed, verdicts: own, standing: standingOf(own, claimed.figures, last.rules) },
      ];
    }),
  );
}
