/**
 * Passes text up to the first stop sequence, which may span pieces. A possible beginning of a stop sequence is held until
 * the next pieces decide it.
 */
export function stopFilter(sequences: readonly string[]) {
  let held = "";
  return {
    /** The text that can be sent now, and whether a stop sequence was found. */
    push(piece: string): { text: string; stopped: boolean } {
      held += piece;
      const found = sequences.map((sequence) => held.indexOf(sequence)).filter((at) => at >= 0);
      if (found.length > 0) return { text: held.slice(0, Math.min(...found)), stopped: true };
      const keep = Math.max(0, ...sequences.map((sequence) => overlap(held, sequence)));
      const text = held.slice(0, held.length - keep);
      held = held.slice(held.length - keep);
      return { text, stopped: false };
    },
    /** The held text, when no more pieces follow. */
    rest(): string {
      return held;
    },
  };
}

/** Length of the longest suffix of `text` that is a proper prefix of `sequence`. */
function overlap(text: string, sequence: string): number {
  for (let length = Math.min(text.length, sequence.length - 1); length > 0; length -= 1) {
    if (sequence.startsWith(text.slice(-length))) return length;
  }
  return 0;
}
