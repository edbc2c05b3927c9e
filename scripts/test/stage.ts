import type { TestParts } from "./parts.ts";

/** What a stage came to; `note` is shown beside its name. */
export type Outcome = { passed: number; failed: number; note?: string };

export type StageContext = {
  rootDir: string;
  /** Folder for what this run writes; gone at its end. */
  stateDir: string;
  /** Leaves out files named *.slow.test.ts. */
  quick: boolean;
  parts: TestParts;
  signal: AbortSignal;
};

export type Stage = {
  name: string;
  /** `check` for what reads the code, else the stage's own name; `--only` takes both. */
  group: string;
  /** True for what `--quick` leaves out. */
  slow: boolean;
  run: (context: StageContext) => Promise<Outcome>;
};
