/** Calls back for entries when their time has come. */
export type Wheel<Entry> = {
  /** Has `entry` looked at again after so many ms, rounded up to a tick, at most one turn of the wheel. */
  add(entry: Entry, inMs: number): void;
  /** Moves on to `now` and hands over what has become due. */
  turn(now: number): void;
};

/**
 * A timing wheel: putting an entry in and taking it out cost the same however many there are. Nothing is ever moved: who
 * hears of an entry notes the time, and looks at it when the entry comes round.
 *
 * @param onDue Gets each entry once; it is put in again with `add` if it is to come round again.
 */
export function createWheel<Entry>(
  options: { tickMs: number; ticks: number; now: number },
  onDue: (entry: Entry, now: number) => void,
): Wheel<Entry> {
  const { tickMs, ticks } = options;
  const spokes: Entry[][] = Array.from({ length: ticks }, () => []);
  let at = Math.floor(options.now / tickMs);
  return {
    add(entry, inMs) {
      const ahead = Math.min(ticks - 1, Math.max(1, Math.ceil(inMs / tickMs)));
      spokes[(at + ahead) % ticks]?.push(entry);
    },
    turn(now) {
      const until = Math.floor(now / tickMs);
      // After a long pause one turn hands over everything.
      at = Math.max(at, until - ticks);
      while (at < until) {
        at += 1;
        const spoke = at % ticks;
        const due = spokes[spoke] ?? [];
        spokes[spoke] = [];
        for (const entry of due) onDue(entry, now);
      }
    },
  };
}
