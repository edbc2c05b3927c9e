import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "@ngpu/runtime/errors";
import type { Trial, Verdict } from "../../../scripts/chaos/subject.ts";
import { randomFrom } from "../../packages/chain-reader/scriptedChain.ts";
import { rootDir } from "../../support/parts.ts";
import { grow, misbehave } from "./chainLoad.ts";
import { type Instances, startInstances } from "./instances.ts";
import { type Judgement, judge } from "./judge.ts";
import { startTestBed, type TestBed } from "./testBed.ts";

// Enough that one instance is standby whenever the leader dies, although each takes a while to start.
const instanceCount = 5;
// Number of kills between two restarts of Postgres, by shutdown and by crash in turns.
const defaultKillsPerRestart = 25;
const timeoutMs = 180_000;

/**
 * Kills instances of autoExport at random times, mostly the leader, while three endpoints inject faults and one node mines and
 * reorganizes its chain. In the end every row must equal that of a fresh replay.
 *
 * @param trial.stateDir Directory of Postgres and the logs. Default `.ngpu/chaos/export`.
 * @param trial.killsPerRestart Kills between two restarts of Postgres. Default 25.
 */
export async function run(trial: Trial & { stateDir?: string; killsPerRestart?: number }): Promise<Verdict> {
  const { kills, seed, signal, progress, stateDir = join(rootDir, ".ngpu/chaos/export") } = trial;
  const { killsPerRestart = defaultKillsPerRestart } = trial;
  const testBed = await startTestBed(stateDir, randomFrom(seed));
  const ended = new AbortController();
  const instances = startInstances({
    count: instanceCount,
    env: testBed.env,
    logFile: join(stateDir, "autoExport.log"),
  });
  const growing = grow(testBed.market, randomFrom(seed + 1), ended.signal);
  const misbehaving = misbehave(testBed.endpoints, randomFrom(seed + 2), ended.signal);
  try {
    const done = await killAll({
      testBed,
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
    for (const endpoint of testBed.endpoints) endpoint.misbehave({});
    progress(kills, "waiting until the last block is stored");
    await untilStored(testBed, signal);
    progress(kills, "comparing with a fresh replay");
    await instances.stop();
    const judgement = await judge(testBed);
    const injectedFaults = injectedBy(testBed);
    return verdictOf(judgement, { ...done, ...grown, ...instances.figures(), injectedFaults });
  } finally {
    ended.abort();
    await Promise.allSettled([growing, misbehaving]);
    await instances.stop();
    await testBed.stop();
  }
}

type Done = {
  killed: { leader: number; insideTransaction: number; other: number };
  postgresRestarts: number;
};

async function killAll(options: {
  testBed: TestBed;
  instances: Instances;
  kills: number;
  killsPerRestart: number;
  random: () => number;
  signal: AbortSignal;
  progress: Trial["progress"];
}): Promise<Done> {
  const { testBed, instances, kills, killsPerRestart, random, signal, progress } = options;
  const killed = { leader: 0, insideTransaction: 0, other: 0 };
  let postgresRestarts = 0;
  for (let kill = 1; kill <= kills; kill++) {
    const leader = await eventually("an instance leads", () => instances.leader(), signal);
    // Some leaders are killed before they store a block, most of them later.
    if (random() < 0.8) await hasStored(leader, signal);
    await delay(random() * 300, undefined, { signal });
    const other = instances.others()[0];
    if (random() < 0.15 && other !== undefined) {
      instances.kill(other);
      killed.other += 1;
    } else if (instances.leader() === leader) {
      if (await testBed.isWriting()) killed.insideTransaction += 1;
      instances.kill(leader);
      killed.leader += 1;
    } else {
      // The leader has exited without a kill; the attempt does not count.
      kill -= 1;
      continue;
    }
    if (kill % killsPerRestart === 0) {
      instances.discardTakeover();
      await testBed.restartPostgres(postgresRestarts % 2 === 1);
      postgresRestarts += 1;
    }
    progress(
      kill,
      `${killed.leader} leaders, ${killed.insideTransaction} while writing, ${postgresRestarts} restarts of Postgres`,
    );
  }
  return { killed, postgresRestarts };
}

/** Waits until an instance has stored blocks, for at most 1,500 polls: its endpoints may be unusable for a while. */
async function hasStored(instance: { stored: number; killed: boolean }, signal: AbortSignal): Promise<void> {
  for (let waited = 0; waited < 1_500 && instance.stored === 0 && !instance.killed; waited += 10) {
    await delay(10, undefined, { signal });
  }
}

async function untilStored({ tip, market }: TestBed, signal: AbortSignal): Promise<void> {
  const { hash } = await market.head();
  const check = async () => ((await tip())?.hash === hash ? true : undefined);
  await eventually("the last block is stored", check, signal);
}

async function eventually<Value>(
  what: string,
  check: () => Promise<Value | undefined> | Value | undefined,
  signal: AbortSignal,
): Promise<Value> {
  const end = Date.now() + timeoutMs;
  let lastError: unknown;
  while (Date.now() < end) {
    try {
      const value = await check();
      if (value !== undefined) return value;
    } catch (error) {
      lastError = error;
    }
    await delay(20, undefined, { signal });
  }
  throw new Error(`Timed out after ${timeoutMs / 1_000} s: ${what}. ${messageOf(lastError ?? "")}`, {
    cause: lastError,
  });
}

function injectedBy({ endpoints }: TestBed): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const endpoint of endpoints) {
    for (const [kind, count] of Object.entries(endpoint.injected())) sum[kind] = (sum[kind] ?? 0) + count;
  }
  return sum;
}

type Figures = Done & { reorgs: number; minedReorgs: { count: number; deepest: number } } & ReturnType<
    Instances["figures"]
  > & {
    injectedFaults: Record<string, number>;
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
  const { killed, postgresRestarts, minedReorgs, injectedFaults, failedStarts } = figures;
  const text = [
    `${ok ? "Nothing lost, nothing duplicated, no gap" : "NOT EXACT"}: block ${block}, ${tables} tables, ${rows} rows, ` +
      `${eventsStored} of ${eventsOnChain} events, ${gaps} gaps, ${differing.length} tables differ ${differing.join(", ")}`,
    `killed: ${killed.leader} leaders (${killed.insideTransaction} while writing), ${killed.other} others; ${failedStarts} starts failed; Postgres restarted ${postgresRestarts} times`,
    `reorgs: ${minedReorgs.count}, the deepest ${minedReorgs.deepest} blocks; ${figures.reorgs} handled by an exporter`,
    `takeovers by a standby instance: ${takeoverMs.count}, median ${takeoverMs.p50} ms, longest ${takeoverMs.max} ms`,
    `injected endpoint faults: ${Object.entries(injectedFaults)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(", ")}`,
  ].join("\n");
  return { ok, figures: { ...judgement, ...figures, takeoverMs }, text };
}
