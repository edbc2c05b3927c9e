import type { Journal } from "./open.ts";

/** Starts of one lease's container under one order to run. */
export type Run = {
  order: string;
  starts: number;
  /** Milliseconds. */
  lastStart: number;
};

/** The runs by fenced lease. */
export function readRuns(journal: Journal): Map<string, Run> {
  const rows = journal.prepare("select * from run").all();
  return new Map(
    rows.map((row) => [
      String(row.lease),
      { order: String(row.run_order), starts: Number(row.starts), lastStart: Number(row.last_start) },
    ]),
  );
}

/** Records a start before it is tried: a kill in between must not make the count too low. */
export function recordRun(journal: Journal, lease: string, run: Run): void {
  journal
    .prepare(
      `insert into run values (?, ?, ?, ?) on conflict (lease) do update
       set run_order = excluded.run_order, starts = excluded.starts, last_start = excluded.last_start`,
    )
    .run(lease, run.order, run.starts, run.lastStart);
}

/** Deletes the record of a container that the client stops: it has not crashed. */
export function forgetRun(journal: Journal, lease: string): void {
  journal.prepare("delete from run where lease = ?").run(lease);
}
