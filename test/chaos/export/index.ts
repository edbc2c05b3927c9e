import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "@ngpu/runtime/errors";
import type { Trial, Verdict } from "../../../scripts/chaos/subject.ts";
import { randomFrom } from "../../packages/chain-reader/scriptedChain.ts";
import { rootDir } from "../../support/parts.ts";
import { grow, misbehave } from "./chainLoad.ts";
import { type Instances, startInstances } from "./instances.ts";
import { type Judgement, judge } from "./judge.ts";
import { startWorld, type World } from "./testBed.ts";

// So many that one stands by whenever the leader dies, though each takes a while to start.
const instanceCount = 5;
// Every so many kills Postgres goes away, in order or not.
const usualKillsPerRestart = 25;
const patienceMs = 180_000;

/**
 * Instances of autoExport, three endpoints that misbehave, one node that grows and reorganizes: instances are killed at
 * random moments, mostly the one that leads, and in the end every row must be that of a fresh replay.
 *
 * @param trial.stateDir Where its Postgres and its logs are kept. Default `.ngpu/chaos/export`.
 * @param trial.killsPerRestart Kills between two restarts of Postgres. Default 25.
 */
export async function run(trial: Trial & { stateDir?: string; killsPerRestart?: number }): Promise<Verdict> {
  const { kills, seed, signal, progress, stateDir = join(rootDir, ".ngpu/chaos/export") } = trial;
  const { killsPerRestart = usualKillsPerRestart } = trial;
  const world = await startWorld(stateDir, randomFrom(seed));
  const ended = new AbortController();
  const instances = startInstances({
    count: instanceCount,
    env: world.env,
    logFile: join(stateDir, "autoExport.log"),
  });
  const growing = grow(world.market, randomFrom(seed + 1), ended.signal);
  const misbehaving = misbehave(world.endpoints, randomFrom(seed + 2), ended.signal);
  try {
    const done = await killAll({
      world,
      instances,
      kills,
      killsPerRestart,
      signal,
      progress,
      random: randomFrom(seed + 3),
    });
    ended.abort();
    const grown = await growing;
    await misbehaving;
    for (const endpoint of world.endpoints) endpoint.misbehave({});
    progress(kills, "waiting until the last block is stored");
    await untilStored(world, signal);
    progress(kills, "comparing with a fresh replay");
    await instances.stop();
    const judgement = await judge(world);
    return verdictOf(judgement, { ...done, ...grown, ...instances.figures(), faultsMet: metBy(world) });
  } finally {
    ended.abort();
    await Promise.allSettled([growing, misbehaving]);
    await instances.stop();
    await world.stop();
  }
}

type Done = {
  killed: { leader: number; insideTransaction: number; other: number };
  postgresRestarts: number;
};

async function killAll(options: {
  world: World;
  instances: Instances;
  kills: number;
  killsPerRestart: number;
  random: () => number;
  signal: AbortSignal;
  progress: Trial["progress"];
}): Promise<Done> {
  const { world, instances, kills, killsPerRestart, random, signal, progress } = options;
  const killed = { leader: 0, insideTransaction: 0, other: 0 };
  let postgresRestarts = 0;
  for (let kill = 1; kill <= kills; kill++) {
    const leader = await eventually("an instance leads", () => instances.leader(), signal);
    // Some die before their first block, most in the middle of their work.
    if (random() < 0.8) await hasStored(leader, signal);
    await delay(random() * 300, undefined, { signal });
    const other = instances.others()[0];
    if (random() < 0.15 && other !== undefined) {
      instances.kill(other);
      killed.other += 1;
    } else if (instances.leader() === leader) {
      if (await world.isWriting()) killed.insideTransaction += 1;
      instances.kill(leader);
      killed.leader += 1;
    } else {
      // It ended by itself meanwhile, and is no kill of ours.
      kill -= 1;
      continue;
    }
    if (kill % killsPerRestart === 0) {
      instances.forgetTakeover();
      await world.restartPostgres(postgresRestarts % 2 === 1);
      postgresRestarts += 1;
    }
    progress(
      kill,
      `${killed.leader} leaders, ${killed.insideTransaction} while writing, ${postgresRestarts} restarts of Postgres`,
    );
  }
  return { killed, postgresRestarts };
}

/** Waits until an instance stored something, not for ever: its endpoints may be of no use for a while. */
async function hasStored(instance: { stored: number; killed: boolean }, signal: AbortSignal): Promise<void> {
  for (let waited = 0; waited < 1_500 && instance.stored === 0 && !instance.killed; waited += 10) {
    await delay(10, undefined, { signal });
  }
}

async function untilStored({ tip, market }: World, signal: AbortSignal): Promise<void> {
  const { hash } = await market.head();
  const look = async () => ((await tip())?.hash === hash ? true : undefined);
  await eventually("the last block is stored", look, signal);
}

async function eventually<Value>(
  what: string,
  look: () => Promise<Value | undefined> | Value | undefined,
  signal: AbortSignal,
): Promise<Value> {
  const end = Date.now() + patienceMs;
  let fault: unknown;
  while (Date.now() < end) {
    try {
      const value = await look();
      if (value !== undefined) return value;
    } catch (error) {
      fault = error;
    }
    await delay(20, undefined, { signal });
  }
  throw new Error(`Waited ${patienceMs / 1_000} s in vain: ${what}. ${messageOf(fault ?? "")}`, {
    cause: fault,
  });
}

function metBy({ endpoints }: World): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const endpoint of endpoints) {
    for (const [kind, count] of Object.entries(endpoint.injected())) sum[kind] = (sum[kind] ?? 0) + count;
  }
  return sum;
}

type Figures = Done & { reorgs: number; minedReorgs: { count: number; deepest: number } } & ReturnType<
    Instances["figures"]
  > & {
    faultsMet: Record<string, number>;
  };

function verdictOf(judgement: Judgement, { takeovers, ...figures }: Figures): Verdict {
  const { block, rows, tables, differing, eventsOnChain, eventsStored, gaps } = judgement;
  const ok = differing.length === 0 && gaps === 0n && eventsStored === BigInt(eventsOnChain);
  const sorted = takeovers.toSorted((a, b) => a - b).map(Math.round);
  const takeoverMs = {
    count: sorted.length,
    p50: sorted[sorted.length >> 1] ?? null,
    max: sorted.at(-1) ?? null,
  };
  const { killed, postgresRestarts, minedReorgs, faultsMet, failedStarts } = figures;
  const text = [
    `${ok ? "Nothing lost, nothing double, no gap" : "NOT EXACT"}: block ${block}, ${tables} tables, ${rows} rows, ` +
      `${eventsStored} of ${eventsOnChain} events, ${gaps} gaps, ${differing.length} tables differ ${differing.join(", ")}`,
    `killed: ${killed.leader} leaders (${killed.insideTransaction} while writing), ${killed.other} others; ${failedStarts} starts failed; Postgres restarted ${postgresRestarts} times`,
    `reorgs: ${minedReorgs.count}, the deepest ${minedReorgs.deepest} blocks; ${figures.reorgs} met by an exporter`,
    `takeover by one that stood by: ${takeoverMs.count} times, median ${takeoverMs.p50} ms, longest ${takeoverMs.max} ms`,
    `faults of endpoints: ${Object.entries(faultsMet)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", ")}`,
  ].join("\n");
  return { ok, figures: { ...judgement, ...figures, takeoverMs }, text };
}
