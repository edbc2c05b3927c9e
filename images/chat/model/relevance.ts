import { stem, tokenize } from "./tokens.ts";
import type { Model } from "./train.ts";

/** How much likelier the most relevant sentence's n-grams are than an unrelated one's: e to this. */
const sharpness = 7;
/** What an older message of the same conversation counts beside the one after it. */
const fading = 0.4;
/** What a sentence takes from its neighbours in the paragraph: they speak of the same thing. */
const spread = 0.35;

/**
 * A weight for every sentence of the text, from the words that the prompt shares with it; rare words count more.
 * Counting n-grams with these weights is what conditions the reply on the prompt.
 *
 * @param messages the conversation's texts, oldest first
 */
export function sentenceWeights(model: Model, messages: readonly string[]): Float64Array {
  const asked = new Map<string, number>();
  messages.toReversed().forEach((message, age) => {
    for (const word of new Set(tokenize(message).map(stem))) {
      asked.set(word, Math.max(asked.get(word) ?? 0, fading ** age));
    }
  });
  const own = model.sentences.map(({ stems, length }) => {
    let score = 0;
    for (const [word, weight] of asked) if (stems.has(word)) score += weight * rarity(model, word);
    return score / Math.sqrt(Math.max(length, 8));
  });
  const near = (from: number, to: number) =>
    model.sentences[to]?.paragraph === model.sentences[from]?.paragraph ? (own[to] ?? 0) : 0;
  const scores = own.map((score, i) => score + spread * (near(i, i - 1) + near(i, i + 1)));
  const best = Math.max(...scores);
  return Float64Array.from(scores, (score) => (best > 0 ? Math.exp((sharpness * score) / best) : 1));
}

/** Inverse document frequency, squared: "the" stands everywhere and says nothing. */
function rarity(model: Model, word: string): number {
  const found = model.sentencesWith.get(word) ?? 0;
  return Math.log((1 + model.sentences.length) / (1 + found)) ** 2;
}
