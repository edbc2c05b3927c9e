/** Options of a trial. */
export type Trial = {
  /** Number of what the subject counts: kills, requests or deliveries. */
  kills: number;
  /** Seed of all random choices. */
  seed: number;
  /** Minutes after which the trial begins nothing more and judges what was done. Undefined: no limit. */
  minutes?: number;
  /** Aborted by Ctrl-C: the trial stops its processes and rejects with the signal's reason. */
  signal: AbortSignal;
  /** Reports the number of them that are done and a short description of the current step. */
  progress: (kills: number, doing: string) => void;
};

/** Result of a trial. */
export type Verdict = {
  /** Whether all checks passed. */
  ok: boolean;
  /** Printed as JSON; bigints as decimal strings. */
  figures: Record<string, unknown>;
  /** The same as readable text, without a final newline. */
  text: string;
};

/** Exports of a subject's module, see index.ts. */
export type Subject = { run: (trial: Trial) => Promise<Verdict> };
