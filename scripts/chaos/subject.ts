/** What every trial is told. */
export type Trial = {
  /** Times that something of the subject is killed without warning. */
  kills: number;
  /** Decides everything that is drawn: the same seed draws the same acts. */
  seed: number;
  /** Aborted by Ctrl-C: the trial stops what it started and rejects with the signal's reason. */
  signal: AbortSignal;
  /** Tells how many kills are done and, in a few words, what is happening. */
  progress: (kills: number, doing: string) => void;
};

/** What a trial found. */
export type Verdict = {
  /** Whether all that had to hold did. */
  ok: boolean;
  /** Printed as JSON; bigints as decimal strings. */
  figures: Record<string, unknown>;
  /** The same for people, without the line end. */
  text: string;
};

/** What the module of a subject exports, see index.ts. */
export type Subject = { run: (trial: Trial) => Promise<Verdict> };
