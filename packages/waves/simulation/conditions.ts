import type { Random } from "./random.ts";

/** What happens between a block and a batch root, beside the hardware. Times are seconds. */
export type Conditions = {
  measurers: number;
  /** Share of the measurers that leave out every answer they can. */
  omitting: number;
  /** Share of all measurers that do so: who of them is drawn changes with each wave. */
  colluding: number;
  /** Share of the measurers that commit to results and reveal none. */
  withholding: number;
  /** Share of the honest measurers that post nothing in a wave. */
  measurerDown: number;
  /** From a block to its hash at a node, and from a node's answer to a measurer. */
  seedDelay: { median: number; spread: number };
  answerDelay: { median: number; spread: number };
  /** Share of tries that a packet loss delays by `retry`, again and again. */
  loss: number;
  retry: number;
  /** Share of the waves in which a node's connection is gone for the whole window. */
  disconnected: number;
  /** Share of the waves in which the chain or its endpoints fail for everyone. */
  outage: number;
};

/** What `docs/trust.md` calls ordinary. */
export const ordinary: Conditions = {
  measurers: 7,
  omitting: 0,
  colluding: 0,
  withholding: 0,
  measurerDown: 0.02,
  seedDelay: { median: 0.5, spread: 0.5 },
  answerDelay: { median: 0.15, spread: 0.7 },
  loss: 0.02,
  retry: 0.5,
  disconnected: 0.001,
  outage: 0.005,
};

/** Seconds after a block at which a node has its hash. */
export function seedDelayOf({ seedDelay, loss, retry }: Conditions, random: Random): number {
  return random.logNormal(seedDelay.median, seedDelay.spread) + losses(loss, retry, random);
}

/** Which of the drawn measurers leave out every answer. */
export function omittersOf({ measurers, omitting, colluding }: Conditions, random: Random): boolean[] {
  return Array.from(
    { length: measurers },
    (_, measurer) => measurer < Math.round(measurers * omitting) || random.chance(colluding),
  );
}

/** Which measurers have both messages of a node in their batches, sent so long before they close them. */
export function sentTo(
  conditions: Conditions,
  { secondsLeft, isOut, omits }: { secondsLeft: number; isOut: boolean; omits: readonly boolean[] },
  random: Random,
): { chase: boolean[]; answers: boolean[] } {
  const isGone = isOut || random.chance(conditions.disconnected);
  const stage = () =>
    omits.map((isOmitted) => answerDelayOf(conditions, random) <= secondsLeft && !isGone && !isOmitted);
  return { chase: stage(), answers: stage() };
}

function answerDelayOf({ answerDelay, loss, retry }: Conditions, random: Random): number {
  return random.logNormal(answerDelay.median, answerDelay.spread) + losses(loss, retry, random);
}

function losses(loss: number, retry: number, random: Random): number {
  let delay = 0;
  while (random.chance(loss)) delay += retry;
  return delay;
}

/** Other work of a box: it comes and goes, and takes a share of the box while it is there. */
export type Load = { begins: number; ends: number; most: number };

/** What `docs/trust.md` calls ordinary: a tenth of the box for a few waves, from time to time. */
export const ordinaryLoad: Load = { begins: 0.05, ends: 0.3, most: 0.1 };

/** The load of the next wave. */
export function nextLoad(load: Load, now: number, random: Random): number {
  if (now > 0) return random.chance(load.ends) ? 0 : now;
  return random.chance(load.begins) ? random.between(0, load.most) : 0;
}
