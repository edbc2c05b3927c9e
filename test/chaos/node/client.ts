import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds from an exit of the client to its restart, as the operator's service manager does. */
const restartAfter = 200;
/** The longest that a client may take to log its first line, and what it takes on a machine without other work, in milliseconds. */
const starts = { most: 60_000, usual: 1_000 };

export type ClientOptions = {
  /** The client as operators install it: one file. */
  program: string;
  env: Record<string, string>;
  /** Called when the client ends by itself, with its last lines. */
  onExit: (lines: readonly string[]) => void;
};

/** The real node client as a process, which is started again whenever it ends. */
export function startClient({ program, env, onExit }: ClientOptions) {
  let step: (() => void) | undefined;
  let current: ReturnType<typeof spawn> | undefined;
  let isStopped = false;
  let steps = 0;
  /** Steps of the running client. */
  let own = 0;
  const failures: string[] = [];
  const life = async () => {
    while (!isStopped) {
      const child = spawn(process.execPath, [program, "run"], { env, stdio: ["ignore", "pipe", "pipe"] });
      current = child;
      own = 0;
      const lines: string[] = [];
      const read = (text: string) => {
        lines.push(text);
        if (lines.length > 20) lines.shift();
        if (text.includes("_failed")) failures.push(text);
        if (failures.length > 5) failures.shift();
        steps += 1;
        if (!child.killed) own += 1;
        step?.();
      };
      createInterface({ input: child.stdout }).on("line", read);
      createInterface({ input: child.stderr }).on("line", (text) => lines.push(text));
      const [, signal] = await once(child, "exit");
      if (signal !== "SIGKILL" && !isStopped) onExit(lines);
      await delay(restartAfter);
    }
  };
  const living = life();
  return {
    /** The last lines of the log about failures. */
    failures: () => failures,
    /**
     * Kills the client after it has logged this many more steps, or some milliseconds after it has begun. On a busy machine a
     * client that took longer to begin gets as much longer.
     */
    async killAfter(count: number, milliseconds: number): Promise<void> {
      const until = steps + count;
      const begun = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      step = () => {
        if (own > 0) begun.resolve();
        if (steps < until) return;
        current?.kill("SIGKILL");
        reached.resolve();
      };
      const from = performance.now();
      step();
      await Promise.race([begun.promise, delay(starts.most)]);
      const pace = Math.max(1, (performance.now() - from) / starts.usual);
      await Promise.race([reached.promise, delay(pace * milliseconds)]);
      step = undefined;
      current?.kill("SIGKILL");
      own = 0;
    },
    async stop(): Promise<void> {
      isStopped = true;
      current?.kill("SIGKILL");
      await living;
    },
  };
}
