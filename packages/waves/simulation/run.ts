import { knownDevices } from "../history.ts";
import { countedWaves } from "../rules.ts";
import { standingOf } from "../standing.ts";
import { type DeviceVerdict, keyOf } from "../types.ts";
import { passedBytes } from "../verdict.ts";
import { type Load, nextLoad, ordinary, ordinaryLoad } from "./conditions.ts";
import type { Box } from "./market.ts";
import { type Setting, simulateWave } from "./wave.ts";

/** What happened to the boxes of a kind. */
export type Tally = {
  /** Waves in which a node could be paid, one for each node. */
  nodeWaves: number;
  /** Waves after which a node was not paid for all that it claims. */
  underProven: number;
  /** Most nodes of one box that were paid at once. */
  mostPaid: number;
  /** Most memory of one box that was paid at once, as a multiple of what it has. */
  mostShare: number;
  /** The sum of the boxes' shares over `boxWaves` waves of one box. */
  shares: number;
  boxWaves: number;
};

export type Outcome = { held: number; notHeld: number; kinds: Map<string, Tally> };

type State = { box: Box; load: number; history: Map<string, DeviceVerdict[]> };

/**
 * Runs waves over boxes. The first waves are under ordinary conditions and count for nothing, since no node has its history
 * yet.
 */
export function runWaves(
  boxes: readonly Box[],
  setting: Setting,
  { waves, load = ordinaryLoad }: { waves: number; load?: Load },
): Outcome {
  const { rules, random } = setting;
  const states = boxes.map((box): State => ({ box, load: 0, history: new Map() }));
  const passed: Map<string, bigint>[] = [];
  const outcome: Outcome = { held: 0, notHeld: 0, kinds: new Map() };
  for (let wave = -countedWaves(rules); wave < waves; wave++) {
    const isFirst = wave < 0;
    for (const state of states) state.load = nextLoad(isFirst ? ordinaryLoad : load, state.load, random);
    const conditions = isFirst ? ordinary : setting.conditions;
    const known = knownDevices(passed, rules);
    const verdict = simulateWave(wave + countedWaves(rules), states, { ...setting, conditions, known });
    passed.push(passedBytes(verdict));
    if (verdict.held) remember(states, verdict.devices);
    if (isFirst) continue;
    outcome[verdict.held ? "held" : "notHeld"] += 1;
    for (const state of states) tally(state, outcome, setting);
  }
  return outcome;
}

/** No more is kept of a device than its standing needs: what it counted, and since when it is kept. */
function remember(states: readonly State[], devices: readonly DeviceVerdict[]): void {
  const byKey = new Map(devices.map((verdict) => [keyOf(verdict), verdict]));
  for (const { box, history } of states) {
    for (const key of keysOf(box)) {
      const verdict = byKey.get(key);
      if (verdict === undefined) continue;
      const own = history.get(key) ?? [];
      own.push(verdict);
      history.set(key, own.length > kept ? own.slice(-kept) : own);
    }
  }
}

/** Verdicts of a device that are kept: more than a leased device may hold its proof for. */
const kept = 64;

function tally({ box, history }: State, outcome: Outcome, { rules }: Setting): void {
  const own = outcome.kinds.get(box.kind) ?? none();
  outcome.kinds.set(box.kind, own);
  let paid = 0;
  let bytes = 0;
  for (const { nodeId, claims } of box.nodes) {
    const standings = claims.map(({ figures }, device) =>
      standingOf(history.get(keyOf({ nodeId, device })) ?? [], figures, rules),
    );
    if (standings.every(({ earns }) => earns)) paid += 1;
    for (const { earns, proven } of standings) if (earns) bytes += Number(proven.bytes);
  }
  own.nodeWaves += box.nodes.length;
  own.underProven += box.nodes.length - paid;
  own.mostPaid = Math.max(own.mostPaid, paid);
  own.mostShare = Math.max(own.mostShare, bytes / box.memoryBytes);
  own.shares += bytes / box.memoryBytes;
  own.boxWaves += 1;
}

function none(): Tally {
  return { nodeWaves: 0, underProven: 0, mostPaid: 0, mostShare: 0, shares: 0, boxWaves: 0 };
}

function keysOf({ nodes }: Box): string[] {
  return nodes.flatMap(({ nodeId, claims }) => claims.map((_, device) => keyOf({ nodeId, device })));
}
