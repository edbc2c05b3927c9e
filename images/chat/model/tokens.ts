/** Words (with inner apostrophes, dots and hyphens) and single punctuation marks. */
const tokenPattern = /[\p{L}\p{N}]+(?:['’.-][\p{L}\p{N}]+)*|[^\s\p{L}\p{N}]/gu;

export function tokenize(text: string): string[] {
  return text.match(tokenPattern) ?? [];
}

/** Whether a token ends a sentence. */
export function endsSentence(token: string): boolean {
  return token === "." || token === "?" || token === "!";
}

/** The token as appended to a text: with a leading space, unless it is the first or closing punctuation. */
export function joined(token: string, isFirst: boolean): string {
  return isFirst || /^[.,;:?!)]$/.test(token) ? token : ` ${token}`;
}

/** A word without case and common endings, so that "leases" in a question finds "lease" in the text. */
export function stem(word: string): string {
  const lower = word.toLowerCase();
  if (lower.length < 5) return lower.length === 4 ? lower.replace(/s$/, "") : lower;
  return lower.replace(/(?:ing|ed|es|s|e)$/, "");
}
