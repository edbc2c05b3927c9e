import { setTimeout as delay } from "node:timers/promises";
import type { Trial, Verdict } from "../../../scripts/chaos/subject.ts";
import { setupMatch, type TestMatch } from "../../services/match/setup.ts";
import { eventually } from "../../services/support/context.ts";
import { stopParts } from "../../support/parts.ts";
import { readAccounting, readRefusals, readStates, readWaste } from "./accounting.ts";
import { createInstances } from "./instances.ts";
import { createLoad } from "./load.ts";
import { startNodes } from "./nodes.ts";
import { drawsOf } from "./random.ts";

/*
 * Three instances of match and three of dispense are killed with SIGKILL at random and restarted, while workspaces are
 * published, scaled and closed, on a real chain with a real Postgres and Redis. Afterwards every workspace must have all its
 * replicas, and the events on the chain must show that no replica ever had two leases and no node was ever overcommitted.
 */

const nodeCount = 12;
/** Maximum number of replicas: three quarters of the nodes' capacity, so that workspaces compete for the cheapest nodes. */
const maxReplicas = 72;
/** Errors of assignments that were decided on an outdated state. */
const expectedErrors = new Set([
  "NodeCapacityExceeded",
  "NodeNotAccepting",
  "ReplicaAssigned",
  "ReplicaOutOfRange",
  "WorkspaceNotOpen",
  "AuthorizationRateExceeded",
]);

export async function run(trial: Trial): Promise<Verdict> {
  process.env.TEST_LOG_LEVEL ??= "warn";
  const test = await setupMatch();
  const abort = new AbortController();
  const signal = AbortSignal.any([abort.signal, trial.signal]);
  try {
    return await tryOut(test, trial, { signal, end: () => abort.abort(new Error("The trial has ended.")) });
  } finally {
    abort.abort(new Error("The trial has ended."));
    await test.stop();
    await stopParts();
  }
}

async function tryOut(
  test: TestMatch,
  trial: Trial,
  life: { signal: AbortSignal; end: () => void },
): Promise<Verdict> {
  const instances = createInstances(test, drawsOf(trial.seed));
  await test.startService("workspace", "workspace", { SWEEP_SECONDS: "0.5" });
  await instances.startAll();
  const nodes = await startNodes(test, {
    count: nodeCount,
    seed: trial.seed,
    urls: instances.urls,
    signal: life.signal,
  });
  const draws = drawsOf(trial.seed ^ 0x5eed);
  const load = createLoad(test, draws, maxReplicas);
  const quiet = new AbortController();
  const loading = load.run(AbortSignal.any([quiet.signal, life.signal]));
  const kills = drawsOf(trial.seed ^ 0xdead);
  for (let done = 0; done < trial.kills; ) {
    life.signal.throwIfAborted();
    await Promise.race([delay(200 + kills.next() * 1_200), loading]);
    const name = instances.killOne();
    if (name === null) continue;
    done += 1;
    trial.progress(done, `${name} killed, ${load.open().length} workspaces open`);
  }
  await instances.settle();
  quiet.abort(new Error("The last instance was killed."));
  await loading;
  trial.progress(trial.kills, "waiting for all replicas");
  const lost = await untilComplete(test, load.open());
  const verdict = await judge(test, { lost, crashes: instances.crashes(), counts: load.counts });
  life.end();
  await nodes.done;
  return verdict;
}

/** Waits until exactly the wanted replicas run. @returns the number of replicas that are missing or surplus after 180 s */
async function untilComplete(test: TestMatch, open: { id: bigint; replicas: number }[]): Promise<number> {
  const missing = async () => {
    const { rows } = await test.db.query<{ missing: number; surplus: number }>(
      `with held as (
         select workspace_id, replica, state, desired from chain.assignment
         where release_reason is null and state not in ('none', 'deleted', 'released')
       ), wanted as (
         select workspace_id, generate_series(0, replicas - 1) as replica
         from unnest($1::bigint[], $2::int[]) as w (workspace_id, replicas)
       )
       select
         (select count(*) from wanted where not exists (select from held
           where held.workspace_id = wanted.workspace_id and held.replica = wanted.replica
             and held.state = 'running' and held.desired = 'run'))::int as missing,
         (select count(*) from held where not exists (select from wanted
           where held.workspace_id = wanted.workspace_id and held.replica = wanted.replica))::int as surplus`,
      [open.map(({ id }) => id), open.map(({ replicas }) => replicas)],
    );
    const row = rows[0] ?? { missing: 0, surplus: 0 };
    return row.missing + row.surplus;
  };
  try {
    await eventually("all replicas run", async () => (await missing()) === 0, 180_000);
    return 0;
  } catch {
    return missing();
  }
}

async function judge(
  test: TestMatch,
  seen: { lost: number; crashes: number; counts: Record<string, number> },
): Promise<Verdict> {
  const accounting = await readAccounting(test);
  const refusals = await readRefusals(test);
  const waste = await readWaste(test);
  const unexpected = Object.keys(refusals).filter((error) => !expectedErrors.has(error));
  const { lost, crashes, counts } = seen;
  const broken =
    lost +
    crashes +
    accounting.doubles +
    accounting.overdrawn +
    accounting.mismatches +
    waste.failed +
    waste.reverted;
  const ok = broken === 0 && unexpected.length === 0 && accounting.assigned > 0;
  const conflicts = Object.values(refusals).reduce((sum, count) => sum + count, 0);
  const rows: [string, string | number][] = [
    ["workspaces", `${counts.published} published, ${counts.scaled} scaled, ${counts.closed} closed`],
    ["leases", `${accounting.assigned} assigned, ${accounting.released} released`],
    ["replicas missing or surplus", lost],
    ["replicas with two leases", accounting.doubles],
    ["assignments beyond capacity", accounting.overdrawn],
    ["nodes whose capacity differs", accounting.mismatches],
    ["conflicts", `${conflicts} ${JSON.stringify(refusals)}`],
    ["transactions lost, reverted", `${waste.failed}, ${waste.reverted}`],
    ["instances that crashed", crashes],
  ];
  const states = await readStates(test);
  if (!ok) for (const [name, counts] of Object.entries(states)) rows.push([name, JSON.stringify(counts)]);
  return {
    ok,
    figures: { lost, crashes, ...counts, ...accounting, ...waste, refusals, unexpected, states },
    text: [
      ok ? "All conditions hold." : "A condition is violated.",
      ...rows.map(([name, value]) => `${name.padEnd(36)}${value}`),
    ].join("\n"),
  };
}
