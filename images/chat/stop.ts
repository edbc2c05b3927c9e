/**
 * Lets text through up to the first stop sequence, which may span pieces: what could be the beginning of one is held
 * back until it is clear.
 */
export function stopFilter(sequences: readonly string[]) {
  let held = "";
  return {
    /** The text that is safe to send now, and whether a stop sequence was met. */
    push(piece: string): { text: string; stopped: boolean } {
      held += piece;
      const found = sequences.map((sequence) => held.indexOf(sequence)).filter((at) => at >= 0);
      if (found.length > 0) return { text: held.slice(0, Math.min(...found)), stopped: true };
      const keep = Math.max(0, ...sequences.map((sequence) => overlap(held, sequence)));
      const text = held.slice(0, held.length - keep);
      held = held.slice(held.length - keep);
      return { text, stopped: false };
    },
    /** What was held back and turned out to be no stop. */
    rest(): string {
      return held;
    },
  };
}

/** The longest end of `text` that begins `sequence`. */
function overlap(text: string, sequence: string): number {
  for (let length = Math.min(text.length, sequence.length - 1); length > 0; length -= 1) {
    if (sequence.startsWith(text.slice(-length))) return length;
  }
  return 0;
}
