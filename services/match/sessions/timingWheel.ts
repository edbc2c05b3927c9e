/** Calls back for entries when their time has come. */
export type TimingWheel<Entry> = {
  /** Has `entry` looked at again after so many ms, rounded up to a tick, at most one turn of the wheel. */
  add(entry: Entry, inMs: number): void;
  /** Moves on to `now` and hands over what has become due. */
  advance(now: number): void;
};

/**
 * A timing wheel: putting an entry in and taking it out cost the same however many there are. Nothing is ever moved: who
 * hears of an entry notes the time, and looks at it when the entry comes round.
 *
 * @param onDue Gets each entry once; it is put in again with `add` if it is to come round again.
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
      // After a long pause one turn hands over everything.
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
