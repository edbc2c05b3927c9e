import { setTimeout as sleep } from "node:timers/promises";
import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { describeExit, type Exit, logTail } from "../../embedded/processLog.ts";
import { begun, failed, type Life, recovered, SLOW_DELAY_MS, TOO_MANY, type Verdict } from "./decide.ts";

/** A running part. */
export type Running = { exited: Promise<Exit>; stop: () => Promise<void>; logFile: string };

export type Clock = { now: () => number; sleep: (ms: number, signal: AbortSignal) => Promise<void> };

export type Supervision = {
  print: (line: string) => void;
  /** Nothing is restarted after it is aborted. */
  signal: AbortSignal;
  /** Called when a part keeps ending. Without it, the part is retried every minute. */
  onGiveUp?: (failure: FatalError) => void;
  clock?: Clock;
};

export const realClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

/**
 * Starts a part and restarts it whenever it ends by itself.
 *
 * @param start Starts the part and resolves once it is healthy. An error of the first start is thrown to the caller.
 * @returns Stops the part for good.
 */
export async function supervise(
  supervision: Supervision,
  name: string,
  start: (signal: AbortSignal) => Promise<Running>,
): Promise<() => Promise<void>> {
  const running = await start(supervision.signal);
  const part = new SupervisedPart(supervision, { name, start, running });
  return () => part.stop();
}

type Given = { name: string; start: (signal: AbortSignal) => Promise<Running>; running: Running };

class SupervisedPart {
  readonly #supervision: Supervision;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #start: Given["start"];
  readonly #stopped = new AbortController();
  readonly #signal: AbortSignal;
  readonly #watching: Promise<void>;
  #running: Running;
  #life: Life;

  constructor(supervision: Supervision, { name, start, running }: Given) {
    this.#supervision = supervision;
    this.#clock = supervision.clock ?? realClock;
    this.#name = name;
    this.#start = start;
    this.#running = running;
    this.#life = begun(this.#clock.now());
    this.#signal = AbortSignal.any([supervision.signal, this.#stopped.signal]);
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([this.#running.stop(), this.#watching]);
    // A restart may have completed just before the stop.
    await this.#running.stop();
  }

  async #watch(): Promise<void> {
    while (!this.#signal.aborted) {
      const exit = await this.#running.exited;
      if (this.#signal.aborted) return;
      await this.#restart(`${this.#name} ended (${describeExit(exit)})`);
    }
  }

  /** Retries until the part is healthy or the supervision ends. */
  async #restart(what: string): Promise<void> {
    const since = this.#clock.now();
    let verdict = this.#failed(what);
    while (!this.#signal.aborted) {
      try {
        await this.#clock.sleep(verdict.delayMs, this.#signal);
        this.#running = await this.#start(this.#signal);
        this.#life = recovered(this.#life, this.#clock.now());
        const seconds = ((this.#clock.now() - since) / 1000).toFixed(1);
        this.#supervision.print(`${what}; restarted, healthy again after ${seconds} s`);
        return;
      } catch (error) {
        if (this.#signal.aborted) return;
        verdict = this.#failed(`${what} and does not start: ${messageOf(error)}`);
      }
    }
  }

  #failed(what: string): Verdict {
    const verdict = failed(this.#life, this.#clock.now());
    this.#life = verdict.life;
    if (verdict.givesUp) this.#giveUp(what);
    return verdict;
  }

  #giveUp(what: string): void {
    const { print, onGiveUp } = this.#supervision;
    const { logFile } = this.#running;
    const tail = logTail(logFile);
    const failure = new FatalError(
      `${what}, ${TOO_MANY} times in a row.${tail === "" ? "" : ` The end of its log:\n${tail}`}`,
      { code: "part_crash_looping", hint: `See its complete log, ${logFile}.` },
    );
    if (onGiveUp !== undefined) onGiveUp(failure);
    else {
      print(`${this.#name} is down. ${failure.message}`);
      print(
        `${failure.hint} It is retried every ${SLOW_DELAY_MS / 1000} s; the rest of the market continues.`,
      );
    }
  }
}
