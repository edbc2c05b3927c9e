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

/**
 * Shows steps as lines. A terminal also shows the running steps with what they do.
 *
 * @param out Stream of the lines: stdout, or stderr when stdout is reserved for JSON.
 * @param signal No step begins after it. A step that it interrupts is shown as stopped, not as failed.
 */
export function createReporter(out: NodeJS.WriteStream, signal: () => AbortSignal | undefined): Reporter {
  const timings: StepTiming[] = [];
  const live = out.isTTY === true && process.env.TERM !== "dumb";
  const inProgress = new Set<InProgress>();
  const colour = (style: "green" | "yellow" | "red" | "dim", text: string) =>
    text === "" ? "" : styleText(style, text, { stream: out });
  const print = (line: string) => {
    out.write(`${live ? clearLine : ""}${line}\n`);
  };
  const draw = () => {
    const parts = [...inProgress].map(({ title, started, detail }) =>
      `${title} ${since(started)} ${detail}`.trimEnd(),
    );
    const text = cut(`… ${parts.join(" · ")}`, (out.columns || 80) - 1);
    out.write(`${clearLine}${colour("dim", text)}`);
  };
  const repeatLines = () => {
    for (const { title, started, detail } of inProgress) {
      if (performance.now() - started >= repeatMs - redrawMs) print(lineOf("…", title, started, detail));
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const show = () => {
    if (inProgress.size > 0)
      timer ??= setInterval(live ? draw : repeatLines, live ? redrawMs : repeatMs).unref();
    else {
      clearInterval(timer);
      timer = undefined;
    }
  };
  const lineOf = (mark: string, title: string, started: number, detail: string) => {
    // In a narrow terminal the columns would wrap.
    const wide = !live || (out.columns || 80) >= 80;
    const head = wide ? `${title.padEnd(46)} ${since(started).padStart(8)} ` : `${title}, ${since(started)} `;
    return `${mark} ${head} ${colour("dim", detail)}`.trimEnd();
  };

  return {
    timings,
    print,
    check: async (name, work) => {
      try {
        return await work();
      } catch (error) {
        throw error instanceof StepFailure ? error : new StepFailure(name, error);
      }
    },
    async step(name, title, work, summarize) {
      const entry: InProgress = { title, started: performance.now(), detail: "", isLate: false };
      const progress = (detail: string) => {
        entry.detail = detail;
      };
      const late = (reason: string) => {
        entry.detail = `late: ${reason}`;
        if (!entry.isLate) print(lineOf(colour("yellow", "!"), title, entry.started, entry.detail));
        entry.isLate = true;
      };
      inProgress.add(entry);
      show();
      try {
        if (name !== stopStep) signal()?.throwIfAborted();
        const result = await work(Object.assign(progress, { late }));
        timings.push({ name, ms: Math.round(performance.now() - entry.started) });
        print(lineOf(colour("green", "✓"), title, entry.started, summarize?.(result) ?? ""));
        return result;
      } catch (error) {
        const stopped = signal()?.aborted === true || error instanceof Abandoned;
        print(lineOf(stopped ? "–" : colour("red", "✗"), title, entry.started, stopped ? "stopped" : ""));
        throw error instanceof StepFailure ? error : new StepFailure(name, error);
      } finally {
        inProgress.delete(entry);
        show();
      }
    },
  };
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
