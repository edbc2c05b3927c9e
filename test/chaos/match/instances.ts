import { setTimeout as delay } from "node:timers/promises";
import type { TestMatch } from "../../services/match/setup.ts";
import type { drawsOf } from "./random.ts";

type Instance = {
  name: string;
  service: "match" | "dispense";
  pid: number | null;
  url: string | null;
  crashes: number;
};

/** Minimum number of running instances for a kill: with fewer, little work is in progress. */
const minRunning = 3;

/** Shorter intervals than in production, so that a trial has many of each. */
const dispenseEnv = {
  SWEEP_SECONDS: "0.5",
  PLACEMENT_PAUSE_SECONDS: "3",
  AVOID_REFUSED_SECONDS: "3",
  AVOID_REPLACED_SECONDS: "5",
};

/** Three instances of match and three of dispense, which are killed and restarted. */
export function createInstances(test: TestMatch, draws: ReturnType<typeof drawsOf>) {
  const instances: Instance[] = (["match", "dispense"] as const).flatMap((service) =>
    ["a", "b", "c"].map((letter) => ({
      name: `${service}-${letter}`,
      service,
      pid: null,
      url: null,
      crashes: 0,
    })),
  );
  const starting = new Set<Promise<void>>();
  const launch = async (instance: Instance) => {
    if (instance.service === "match") {
      const match = await test.startMatch(instance.name, { LOSS_SECONDS: "4" });
      instance.url = match.url;
      follow(instance, match.process);
      return;
    }
    follow(instance, await test.startService("dispense", instance.name, dispenseEnv));
  };
  const begin = (instance: Instance) => {
    const started = launch(instance).finally(() => starting.delete(started));
    starting.add(started);
    return started;
  };
  return {
    /** URLs of the running instances of match. */
    urls: () => instances.flatMap(({ url }) => (url === null ? [] : [url])),
    /** Number of exits other than kills. */
    crashes: () => instances.reduce((sum, instance) => sum + instance.crashes, 0),
    startAll: async () => {
      await Promise.all(instances.map(begin));
    },
    /** Kills a random instance with SIGKILL and restarts it up to 1.5 s later. @returns its name; null while too few run */
    killOne(): string | null {
      const running = instances.filter(({ pid }) => pid !== null);
      if (running.length < minRunning) return null;
      const instance = running[draws.below(running.length)];
      if (instance === undefined || instance.pid === null) return null;
      const pid = instance.pid;
      instance.pid = null;
      instance.url = null;
      process.kill(pid, "SIGKILL");
      const pause = Math.floor(draws.next() * 1_500);
      const again = delay(pause).then(() => launch(instance));
      const settled = again.finally(() => starting.delete(settled));
      starting.add(settled);
      return instance.name;
    },
    /** Waits until all killed instances run again. */
    settle: async () => {
      await Promise.all(starting);
    },
  };
}

function follow(instance: Instance, { pid, exited }: { pid: number; exited: Promise<unknown> }): void {
  instance.pid = pid;
  void exited.then(() => {
    // killOne() has cleared the pid.
    if (instance.pid !== pid) return;
    instance.crashes += 1;
    instance.pid = null;
    instance.url = null;
  });
}
