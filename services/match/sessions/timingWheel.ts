/** Calls back for entries when they are due. */
export type TimingWheel<Entry> = {
  /** Schedules `entry` in `inMs`, rounded up to a tick and limited to one turn of the wheel. */
  add(entry: Entry, inMs: number): void;
  /** Advances to `now` and calls back for the entries that are due. */
  advance(now: number): void;
};

/**
 * A timing wheel: adding an entry and calling back for it take constant time. Entries are not rescheduled: the caller records
 * the time of the last activity and compares it when the entry is due.
 *
 * @param onDue called once per added entry; call `add` again to schedule the next check
 */
export function createTimingWheel<Entry>(
  options: { tickMs: number; ticks: number; now: number },
  onDue: (entry: Entry, now: number) => void,
): TimingWheel<Entry> {
  const { tickMs, ticks } = options;
  const slots: Entry[][] = Array.from({ length: ticks }, () => []);
  let at = Math.floor(options.now / tickMs);
  return {
    add(entry, inMs) {
      const ahead = Math.min(ticks - 1, Math.max(1, Math.ceil(inMs / tickMs)));
      slots[(at + ahead) % ticks]?.push(entry);
    },
    advance(now) {
      const until = Math.floor(now / tickMs);
      // After a long pause one turn covers all entries.
      at = Math.max(at, until - ticks);
      while (at < until) {
        at += 1;
        const slot = at % ticks;
        const due = slots[slot] ?? [];
        slots[slot] = [];
        for (const entry of due) onDue(entry, now);
      }
    },
  };
}
