import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { rootDir } from "../../support/parts.ts";
import { programEnv } from "../../support/programEnv.ts";

const program = join(rootDir, "services/webhooks/index.ts");
/** Milliseconds from an instance's end to its restart. */
const restartPause = 200;

/** Instances of webhooks. One that ends, killed or not, is started again. */
export function startInstances(count: number, env: Record<string, string>) {
  const slots: (ChildProcess | undefined)[] = [];
  let isStopping = false;
  const launch = (slot: number) => {
    if (isStopping) return;
    const child = spawn(process.execPath, [program], {
      env: { ...programEnv(), LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? "error", ...env },
      stdio: ["ignore", process.env.TEST_LOG_LEVEL === undefined ? "ignore" : "inherit", "ignore"],
    });
    slots[slot] = child;
    child.once("exit", () => {
      slots[slot] = undefined;
      setTimeout(launch, restartPause, slot).unref();
    });
  };
  const stopAll = () => {
    for (const child of slots) child?.kill("SIGKILL");
  };
  process.on("exit", stopAll);
  for (let slot = 0; slot < count; slot++) launch(slot);
  return {
    /** Kills one of them. False when it is not running. */
    kill: (slot: number) => slots[slot]?.kill("SIGKILL") === true,
    stop: async () => {
      isStopping = true;
      const ends = slots.flatMap((child) =>
        child === undefined ? [] : [new Promise((resolve) => child.once("exit", resolve))],
      );
      stopAll();
      await Promise.all(ends);
      process.off("exit", stopAll);
    },
  };
}
