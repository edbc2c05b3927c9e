import type { LogCursor } from "@ngpu/protocol/logLines";

/** Nanoseconds by which lines may be out of order: a node's clock may be set back, and two streams are written side by side. */
export const disorder = 10_000_000_000n;

export type LogPosition = {
  /**
   * Begins to read the kept lines again, from the oldest one, or from one that is at least `disorder` before the anchor.
   */
  begin(): void;
  /** Takes the next line's time, in file order. @returns Whether the line is new, and whether lines before it are lost. */
  take(time: bigint): { isNew: boolean; lostAfter?: bigint };
  /** The position after the lines taken. */
  read(): Pick<LogCursor, "anchor" | "count">;
};

/**
 * Finds a reader's position in kept lines again, without losing a line or reading one twice. The lines must always be in the same
 * order; the oldest ones may be missing.
 */
export function createLogPosition(from: Pick<LogCursor, "anchor" | "count">): LogPosition {
  let { anchor, count } = from;
  /** Lines since the anchor that are still to be skipped; undefined: the anchor was not found yet. */
  let left: number | undefined = anchor === 0n ? 0 : undefined;
  const advance = (time: bigint) => {
    if (time > anchor) {
      anchor = time;
      count = 1;
    } else if (time >= anchor - disorder) count += 1;
  };
  return {
    begin: () => {
      left = anchor === 0n ? 0 : undefined;
    },
    take: (time) => {
      if (left === undefined) {
        if (time < anchor) return { isNew: false };
        if (time > anchor) {
          const lostAfter = anchor;
          left = 0;
          advance(time);
          return { isNew: true, lostAfter };
        }
        left = count;
      }
      if (left > 0) {
        if (time >= anchor - disorder) left -= 1;
        return { isNew: false };
      }
      advance(time);
      return { isNew: true };
    },
    read: () => ({ anchor, count }),
  };
}
