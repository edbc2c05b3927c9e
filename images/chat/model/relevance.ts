import { stem, tokenize } from "./tokens.ts";
import type { Model } from "./train.ts";

/** The n-grams of the most relevant sentence weigh e^sharpness times as much as those of an unrelated one. */
const sharpness = 7;
/** Weight of a message relative to the next message of the conversation. */
const fading = 0.4;
/** Share of a neighbour's score that a sentence receives: sentences of a paragraph have the same subject. */
const spread = 0.35;

/**
 * Computes a weight for each sentence from the words it shares with the prompt; rare words count more. N-grams counted
 * with these weights condition the reply on the prompt.
 *
 * @param messages Texts of the conversation, oldest first.
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

/** Squared inverse document frequency: a word in every sentence, such as "the", carries no information. */
function rarity(model: Model, word: string): number {
  const found = model.sentencesWith.get(word) ?? 0;
  return Math.log((1 + model.sentences.length) / (1 + found)) ** 2;
}
