import type { Failure, FileRun } from "./report.ts";
import type { TestParts } from "./testParts.ts";

/** The result of a stage. */
export type Outcome = {
  passed: number;
  failed: number;
  /** Shown beside the stage's name. */
  note?: string;
  failures?: readonly Failure[];
  /** Failures that did not occur again when their file was run once more. */
  flaky?: readonly Failure[];
  files?: readonly FileRun[];
};

export type StageContext = {
  rootDir: string;
  /** Temporary directory of this run. */
  stateDir: string;
  /** Skips files named *.slow.test.ts. */
  quick: boolean;
  /** Tries more histories for each property, most often ten times as many. */
  deep?: boolean;
  /** Runs only the tests whose title matches. */
  grep?: string | undefined;
  /** Runs only these of the stage's files. */
  files?: readonly string[];
  /** Files that run at the same time at most; without it, as many as suits the machine. */
  workers?: number;
  parts: TestParts;
  /** False: another stage prints at the same time, so output is printed at the end. */
  live: boolean;
  signal: AbortSignal;
};

export type Stage = {
  name: string;
  /** `check` for static checks, else the stage's own name; `--only` accepts both. */
  group: string;
  /** True for stages that `--quick` skips. */
  slow: boolean;
  /**
   * True: runs beside the others, after the earlier ones that do so. Compiling uses one core; a market of `npm start` and
   * containers mostly wait.
   */
  beside?: boolean;
  /** The stage's test files, as paths from the checkout; a check has none. */
  files?: (rootDir: string) => string[];
  run: (context: StageContext) => Promise<Outcome>;
};
