import { styleText } from "node:util";

export type StepTiming = { name: string; ms: number };

/** A failure of the journey, with the step it happened in. */
export class StepFailure extends Error {
  readonly step: string;

  constructor(step: string, cause: unknown) {
    super(`${step} failed`, { cause });
    this.name = "StepFailure";
    this.step = step;
  }
}

export type Reporter = {
  /** Runs one step and shows it as a line with its time; a throw becomes a StepFailure that names it. */
  step<Result>(
    name: string,
    title: string,
    work: (progress: (detail: string) => void) => Promise<Result>,
    tell?: (result: Result) => string,
  ): Promise<Result>;
  say(line: string): void;
  timings: StepTiming[];
};

const clearLine = "\r\u001b[2K";

/**
 * Shows steps as lines. On a terminal the step under way is shown too, with what it is doing.
 *
 * @param out Where the lines go: stdout, or stderr when stdout belongs to JSON.
 */
export function createReporter(out: NodeJS.WriteStream): Reporter {
  const timings: StepTiming[] = [];
  const live = out.isTTY === true;
  const underWay = new Map<string, { started: number; detail: string }>();
  const colour = (style: "green" | "red" | "dim", text: string) => (live ? styleText(style, text) : text);
  const say = (line: string) => {
    out.write(`${live ? clearLine : ""}${line}\n`);
  };
  const draw = () => {
    const parts = [...underWay].map(([title, { started, detail }]) => `${title} ${since(started)} ${detail}`);
    out.write(`${clearLine}${colour("dim", `… ${parts.join(" · ")}`.slice(0, (out.columns ?? 80) - 1))}`);
  };
  let timer: NodeJS.Timeout | undefined;
  const show = () => {
    if (!live) return;
    if (underWay.size > 0) timer ??= setInterval(draw, 250);
    else {
      clearInterval(timer);
      timer = undefined;
    }
  };
  const line = (mark: string, title: string, started: number, told: string) =>
    say(`${mark} ${title.padEnd(46)} ${since(started).padStart(8)}  ${colour("dim", told)}`.trimEnd());

  return {
    timings,
    say,
    async step(name, title, work, tell) {
      const entry = { started: performance.now(), detail: "" };
      underWay.set(title, entry);
      show();
      try {
        const result = await work((detail) => {
          entry.detail = detail;
        });
        timings.push({ name, ms: Math.round(performance.now() - entry.started) });
        line(colour("green", "✓"), title, entry.started, tell === undefined ? "" : tell(result));
        return result;
      } catch (error) {
        line(colour("red", "✗"), title, entry.started, "");
        throw error instanceof StepFailure ? error : new StepFailure(name, error);
      } finally {
        underWay.delete(title);
        show();
      }
    },
  };
}

function since(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}
