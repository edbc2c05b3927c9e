import type { Failure, FileRun } from "./report.ts";
import type { TestParts } from "./testParts.ts";

/** The result of a stage. */
export type Outcome = {
  passed: number;
  failed: number;
  /** Shown beside the stage's name. */
  note?: string;
  failures?: readonly Failure[];
  files?: readonly FileRun[];
};

export type StageContext = {
  rootDir: string;
  /** Folder for what this run writes; gone at its end. */
  stateDir: string;
  /** Leaves out files named *.slow.test.ts. */
  quick: boolean;
  /** Has properties try ten times as many histories. */
  deep?: boolean;
  /** Runs only the tests whose title contains this. */
  grep?: string | undefined;
  /** Runs these of the stage's files alone. */
  files?: readonly string[];
  parts: TestParts;
  signal: AbortSignal;
};

export type Stage = {
  name: string;
  /** `check` for what reads the code, else the stage's own name; `--only` takes both. */
  group: string;
  /** True for what `--quick` leaves out. */
  slow: boolean;
  /** The stage's test files, as paths from the checkout; a check has none. */
  files?: (rootDir: string) => string[];
  run: (context: StageContext) => Promise<Outcome>;
};
