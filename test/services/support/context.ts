import { setTimeout as delay } from "node:timers/promises";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { createLogger } from "@ngpu/runtime/logger";

export type TestContext = ServiceContext & {
  /** Ends the service as runService would. */
  stop: () => Promise<void>;
  failures: unknown[];
  /** The exit codes with which the service ended itself. */
  exits: number[];
};

/** Where a service's log lines go. */
export type LogDestination = { write: (line: string) => void };

/**
 * What runService gives a service, for a service that runs inside the test. TEST_LOG_LEVEL shows its log, and a destination gets the
 * lines from level info on instead.
 */
export function createTestContext(name: string, destination?: LogDestination): TestContext {
  const abort = new AbortController();
  const undos: (() => Promise<void> | void)[] = [];
  const failures: unknown[] = [];
  const exits: number[] = [];
  return {
    logger:
      destination === undefined
        ? createLogger(name, process.env.TEST_LOG_LEVEL ?? "silent")
        : createLogger(name, "info", destination),
    signal: abort.signal,
    onStop: (_name, undo) => undos.push(undo),
    fail: (error) => failures.push(error),
    failures,
    exit: (_reason, exitCode) => exits.push(exitCode),
    exits,
    stop: async () => {
      abort.abort(new Error("the test is over"));
      for (const undo of undos.splice(0).reverse()) await undo();
    },
  };
}

/** Milliseconds between two questions: a tenth of the time waited so far, within these. Asking costs what is asked. */
const pauses = { least: 25, most: 100 };

/**
 * Asks again and again until there is an answer other than undefined or false.
 *
 * @throws Error that names what was waited for, after `deadline` milliseconds.
 */
export async function eventually<Value>(
  what: string,
  ask: () => Promise<Value | undefined | false> | Value | undefined | false,
  deadline = 90_000,
): Promise<Value> {
  const began = Date.now();
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    const waited = Date.now() - began;
    if (waited > deadline) throw new Error(`Waited ${deadline} ms in vain: ${what}.`);
    await delay(Math.min(pauses.most, Math.max(pauses.least, waited / 10)));
  }
}

/** A database's URL with a service's role instead of the superuser's rights. */
export function asRole(url: string, role: string): string {
  const limited = new URL(url);
  limited.searchParams.set("options", `-c role=${role}`);
  return limited.href;
}
