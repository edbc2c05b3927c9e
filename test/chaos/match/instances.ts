import { setTimeout as delay } from "node:timers/promises";
import type { TestMatch } from "../../services/match/setup.ts";
import type { drawsOf } from "./random.ts";

type Instance = {
  name: string;
  room: "match" | "dispense";
  pid: number | null;
  url: string | null;
  crashes: number;
};

/** With fewer running nothing would be under way that a kill could disturb. */
const fewest = 3;

/** Shorter pauses than in a market, so that a trial sees many of each. */
const dispenseEnv = { SWEEP_SECONDS: "0.5", PLACEMENT_PAUSE: "3", AVOID_REFUSED: "3", AVOID_REPLACED: "5" };

/** Three instances of match and three of dispense that are killed and started again. */
export function createInstances(test: TestMatch, draws: ReturnType<typeof drawsOf>) {
  const instances: Instance[] = (["match", "dispense"] as const).flatMap((room) =>
    ["a", "b", "c"].map((letter) => ({ name: `${room}-${letter}`, room, pid: null, url: null, crashes: 0 })),
  );
  const starting = new Set<Promise<void>>();
  const bring = async (instance: Instance) => {
    if (instance.room === "match") {
      const match = await test.startMatch(instance.name, { LOSS_SECONDS: "4" });
      instance.url = match.url;
      follow(instance, match.process);
      return;
    }
    follow(instance, await test.startService("dispense", instance.name, dispenseEnv));
  };
  const begin = (instance: Instance) => {
    const started = bring(instance).finally(() => starting.delete(started));
    starting.add(started);
    return started;
  };
  return {
    /** Where nodes may open sessions now. */
    urls: () => instances.flatMap(({ url }) => (url === null ? [] : [url])),
    /** Ends that nobody brought about. */
    crashes: () => instances.reduce((sum, instance) => sum + instance.crashes, 0),
    startAll: async () => {
      await Promise.all(instances.map(begin));
    },
    /** Kills a running instance without warning, and has it start again after a while. Names it; null while too few run. */
    killOne(): string | null {
      const running = instances.filter(({ pid }) => pid !== null);
      if (running.length < fewest) return null;
      const instance = running[draws.below(running.length)];
      if (instance === undefined || instance.pid === null) return null;
      const pid = instance.pid;
      instance.pid = null;
      instance.url = null;
      process.kill(pid, "SIGKILL");
      const pause = Math.floor(draws.next() * 1_500);
      const again = delay(pause).then(() => bring(instance));
      const settled = again.finally(() => starting.delete(settled));
      starting.add(settled);
      return instance.name;
    },
    /** Waits until all that were killed run again. */
    settle: async () => {
      await Promise.all(starting);
    },
  };
}

function follow(instance: Instance, { pid, exited }: { pid: number; exited: Promise<unknown> }): void {
  instance.pid = pid;
  void exited.then(() => {
    // Killed by us, it no longer counted as running.
    if (instance.pid !== pid) return;
    instance.crashes += 1;
    instance.pid = null;
    instance.url = null;
  });
}
