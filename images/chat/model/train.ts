import { endsSentence, stem, tokenize } from "./tokens.ts";

/** Token at the start of each sentence; no text contains it. */
export const start = 0;
/** Token at the end of each paragraph, where a sentence could begin. */
export const end = 1;

/** Maximum number of context words. */
export const longestContext = 3;

export type Sentence = {
  paragraph: number;
  /** Number of tokens, without the start and end tokens. */
  length: number;
  stems: ReadonlySet<string>;
};

export type Occurrence = { token: number; sentence: number };

/** The counts of a text: for each context, the tokens that follow it and their sentences. */
export type Model = {
  words: readonly string[];
  sentences: readonly Sentence[];
  contexts: ReadonlyMap<string, readonly Occurrence[]>;
  /** Number of sentences that contain a stem. */
  sentencesWith: ReadonlyMap<string, number>;
};

export function contextKey(tokens: readonly number[]): string {
  return tokens.join(" ");
}

/**
 * Counts n-grams of one to three words of context. Contexts stop at the start of their sentence, so a reply may
 * follow any sentence with any other. Paragraphs are separated by empty lines.
 */
export function train(text: string): Model {
  const words = ["<start>", "<end>"];
  const ids = new Map<string, number>();
  const sentences: Sentence[] = [];
  const contexts = new Map<string, Occurrence[]>();
  const sentencesWith = new Map<string, number>();
  const idOf = (word: string): number => {
    const known = ids.get(word);
    if (known !== undefined) return known;
    ids.set(word, words.length);
    return words.push(word) - 1;
  };
  const paragraphs = text.split(/\n\s*\n/).map(sentencesOf);
  paragraphs.forEach((paragraph, number) => {
    for (const tokens of paragraph) {
      const stems = new Set(tokens.filter((token) => /[\p{L}\p{N}]/u.test(token)).map(stem));
      for (const each of stems) sentencesWith.set(each, (sentencesWith.get(each) ?? 0) + 1);
      const sentence = sentences.push({ paragraph: number, length: tokens.length, stems }) - 1;
      count(contexts, [start, ...tokens.map(idOf)], sentence);
    }
    if (paragraph.length > 0) count(contexts, [start, end], sentences.length - 1);
  });
  if (sentences.length === 0) throw new Error("The training text has no sentence.");
  return { words, sentences, contexts, sentencesWith };
}

function sentencesOf(paragraph: string): string[][] {
  const sentences: string[][] = [];
  let open: string[] = [];
  for (const token of tokenize(paragraph)) {
    open.push(token);
    if (!endsSentence(token)) continue;
    sentences.push(open);
    open = [];
  }
  return sentences;
}

function count(contexts: Map<string, Occurrence[]>, tokens: readonly number[], sentence: number): void {
  tokens.forEach((token, i) => {
    for (let length = 1; length <= Math.min(longestContext, i); length += 1) {
      const key = contextKey(tokens.slice(i - length, i));
      const seen = contexts.get(key);
      if (seen) seen.push({ token, sentence });
      else contexts.set(key, [{ token, sentence }]);
    }
  });
}
