import { styleText } from "node:util";
import { Abandoned } from "./allOrNothing.ts";

export type StepTiming = { name: string; ms: number };

/** An error of the journey, with the step it happened in. */
export class StepFailure extends Error {
  readonly step: string;

  constructor(step: string, cause: unknown) {
    super(`${step} failed`, { cause });
    this.name = "StepFailure";
    this.step = step;
  }
}

/** Reports what a step does or waits for. */
export type Progress = {
  (detail: string): void;
  /** Reports why a step is late and continues. Without it, a step that is late fails. */
  late?: (reason: string) => void;
};

export type Reporter = {
  /** Runs one step and shows it as a line with its duration. An error becomes a StepFailure that names the step. */
  step<Result>(
    name: string,
    title: string,
    work: (progress: Progress) => Promise<Result>,
    summarize?: (result: Result) => string,
  ): Promise<Result>;
  /** Runs work that prints a line only on failure. An error becomes a StepFailure that names it. */
  check<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
  print(line: string): void;
  timings: StepTiming[];
};

const clearLine = "\r\u001b[2K";
const redrawMs = 250;
/** Interval at which a long step is repeated without a terminal. */
const repeatMs = 15_000;

type InProgress = { title: string; started: number; detail: string; isLate: boolean };

/** The output of a reporter: printed lines, and a display of the running steps that updates itself. */
class Display {
  readonly #out: NodeJS.WriteStream;
  readonly #live: boolean;
  readonly #running = new Set<InProgress>();
  #timer: NodeJS.Timeout | undefined;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    this.#live = out.isTTY === true && process.env.TERM !== "dumb";
  }

  print(line: string): void {
    this.#out.write(`${this.#live ? clearLine : ""}${line}\n`);
  }

  printStep(mark: string, { title, started }: InProgress, detail: string): void {
    // In a narrow terminal the columns would wrap.
    const wide = !this.#live || this.#columns >= 80;
    const head = wide ? `${title.padEnd(46)} ${since(started).padStart(8)} ` : `${title}, ${since(started)} `;
    this.print(`${mark} ${head} ${this.colour("dim", detail)}`.trimEnd());
  }

  colour(style: "green" | "yellow" | "red" | "dim", text: string): string {
    return text === "" ? "" : styleText(style, text, { stream: this.#out });
  }

  add(entry: InProgress): void {
    this.#running.add(entry);
    const show = this.#live ? () => this.#draw() : () => this.#repeat();
    this.#timer ??= setInterval(show, this.#live ? redrawMs : repeatMs).unref();
  }

  remove(entry: InProgress): void {
    this.#running.delete(entry);
    if (this.#running.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  get #columns(): number {
    return this.#out.columns || 80;
  }

  #draw(): void {
    const parts = [...this.#running].map(({ title, started, detail }) =>
      `${title} ${since(started)} ${detail}`.trimEnd(),
    );
    const text = cut(`… ${parts.join(" · ")}`, this.#columns - 1);
    this.#out.write(`${clearLine}${this.colour("dim", text)}`);
  }

  #repeat(): void {
    for (const entry of this.#running) {
      if (performance.now() - entry.started >= repeatMs - redrawMs) this.printStep("…", entry, entry.detail);
    }
  }
}

/**
 * Shows steps as lines. A terminal also shows the running steps with what they do.
 *
 * @param out Stream of the lines: stdout, or stderr when stdout is reserved for JSON.
 * @param signal No step begins after it. A step that it interrupts is shown as stopped, not as failed.
 */
export function createReporter(out: NodeJS.WriteStream, signal: () => AbortSignal | undefined): Reporter {
  const timings: StepTiming[] = [];
  const display = new Display(out);
  return {
    timings,
    print: (line) => display.print(line),
    check: async (name, work) => {
      try {
        return await work();
      } catch (error) {
        throw error instanceof StepFailure ? error : new StepFailure(name, error);
      }
    },
    async step(name, title, work, summarize) {
      const entry: InProgress = { title, started: performance.now(), detail: "", isLate: false };
      display.add(entry);
      try {
        if (name !== stopStep) signal()?.throwIfAborted();
        const result = await work(progressOf(entry, display));
        timings.push({ name, ms: Math.round(performance.now() - entry.started) });
        display.printStep(display.colour("green", "✓"), entry, summarize?.(result) ?? "");
        return result;
      } catch (error) {
        const stopped = signal()?.aborted === true || error instanceof Abandoned;
        display.printStep(stopped ? "–" : display.colour("red", "✗"), entry, stopped ? "stopped" : "");
        throw error instanceof StepFailure ? error : new StepFailure(name, error);
      } finally {
        display.remove(entry);
      }
    },
  };
}

/** Reports the progress of a step. The first late report is also printed as a line. */
function progressOf(entry: InProgress, display: Display): Progress {
  const progress = (detail: string) => {
    entry.detail = detail;
  };
  const late = (reason: string) => {
    entry.detail = `late: ${reason}`;
    if (!entry.isLate) display.printStep(display.colour("yellow", "!"), entry, entry.detail);
    entry.isLate = true;
  };
  return Object.assign(progress, { late });
}

/** The step that stops everything: the only one that runs after an interruption. */
export const stopStep = "stop";

function cut(text: string, columns: number): string {
  const characters = [...text];
  return characters.length <= columns ? text : `${characters.slice(0, Math.max(1, columns - 1)).join("")}…`;
}

function since(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}
