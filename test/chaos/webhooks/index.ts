import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Trial, Verdict } from "../../../scripts/chaos/subject.ts";
import { randomFrom } from "../../packages/chain-reader/scriptedChain.ts";
import { eventually } from "../../services/support/context.ts";
import { rootDir } from "../../support/parts.ts";
import { startInstances } from "./instances.ts";
import { createEndpoints, type Expected, endTasks } from "./load.ts";
import { type Receivers, startReceivers } from "./receivers.ts";
import { startTestBed, type TestBed } from "./testBed.ts";

/*
 * Two instances of webhooks are killed with SIGKILL at random while tasks end; Postgres and Redis are killed too, and Redis loses its
 * data. Receivers refuse some requests, and one never answers. Afterwards each end of a task must have arrived at each endpoint of its
 * partner, and at most one in a hundred twice.
 */

const instanceCount = 2;
const key = "a-key-of-more-than-thirty-two-characters";
/** Accepted deliveries from one kill to the next, on average. */
const deliveriesPerKill = 4_000;
/** Deliveries that may be waiting at the same time. */
const mostWaiting = 4_000;
const refusals = 0.02;
/** Milliseconds that the last deliveries may take after the last kill. */
const settleDeadline = 240_000;

export async function run(trial: Trial & { stateDir?: string }): Promise<Verdict> {
  const { kills: deliveries, seed, stateDir = join(rootDir, ".ngpu/chaos/webhooks") } = trial;
  const testBed = await startTestBed(stateDir);
  const receivers = await startReceivers(randomFrom(seed), refusals);
  await createEndpoints(testBed, receivers.url, key);
  const instances = startInstances(instanceCount, {
    ...testBed.env,
    WEBHOOK_KEYS: key,
    PRIVATE_ADDRESSES: "1",
    SWEEP_SECONDS: "0.2",
    RETRY_SECONDS: "0.5",
  });
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, trial.signal]);
  try {
    await eventually("the start of an instance", () => hasStarted(testBed));
    const accepted = () => receivers.accepted.size;
    const killing = killAll({ testBed, instances, accepted, random: randomFrom(seed + 1), signal });
    const onEnd = (created: number) => trial.progress(accepted(), `${created} created`);
    const isRoom = (created: number) => created - accepted() < mostWaiting;
    const expected = await endTasks(testBed, { deliveries, isRoom, signal, onEnd });
    const isComplete = () => trial.signal.aborted || expected.every((one) => receivers.accepted.has(one));
    await eventually("the last deliveries", isComplete, settleDeadline).catch(() => undefined);
    trial.signal.throwIfAborted();
    ended.abort();
    return verdictOf(expected, receivers, await killing);
  } finally {
    ended.abort();
    await instances.stop();
    receivers.stop();
    await testBed.stop();
  }
}

/** An instance has recorded where the chain's history begins, or holds its lock. */
async function hasStarted({ db }: TestBed): Promise<boolean> {
  const { rowCount } = await db.query(
    "select from pg_stat_activity where application_name = 'webhooks claims' and datname = current_database()",
  );
  return (rowCount ?? 0) > 0;
}

type Killed = { instances: number; postgres: number; redis: number };

async function killAll(given: {
  testBed: TestBed;
  instances: ReturnType<typeof startInstances>;
  accepted: () => number;
  random: () => number;
  signal: AbortSignal;
}): Promise<Killed> {
  const { testBed, instances, accepted, random, signal } = given;
  const killed: Killed = { instances: 0, postgres: 0, redis: 0 };
  const interval = () => deliveriesPerKill * (0.5 + random());
  for (let next = interval(); !signal.aborted; ) {
    await delay(10, undefined, { signal }).catch(() => undefined);
    if (signal.aborted || accepted() < next) continue;
    next = accepted() + interval();
    const first = Math.floor(random() * instanceCount);
    for (let n = 0; n < instanceCount; n++) {
      if (!instances.kill((first + n) % instanceCount)) continue;
      killed.instances += 1;
      break;
    }
    // Redis with every second kill, Postgres with every fourth.
    if (killed.instances % 2 === 1) {
      await testBed.loseRedis();
      killed.redis += 1;
    } else if (killed.instances % 4 === 2) {
      await testBed.crashPostgres();
      killed.postgres += 1;
    }
  }
  return killed;
}

function verdictOf(expected: Expected, receivers: Receivers, killed: Killed): Verdict {
  const lost = expected.filter((one) => !receivers.accepted.has(one)).length;
  const twice = [...receivers.accepted.values()].filter((times) => times > 1).length;
  const unexpected = receivers.accepted.size + lost - expected.length;
  const share = twice / expected.length;
  const figures = { deliveries: expected.length, lost, twice, unexpected, killed, ...receivers.figures() };
  const text = [
    `${expected.length} deliveries, ${lost} lost, ${twice} arrived twice (${(100 * share).toFixed(2)} %)`,
    `killed: ${killed.instances} instances, Postgres ${killed.postgres} times, Redis ${killed.redis} times`,
    `${figures.refused} requests were refused, ${figures.ignored} never answered`,
  ].join("\n");
  return { ok: lost === 0 && unexpected === 0 && share <= 0.01, figures, text };
}
