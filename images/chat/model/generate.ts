import { createHash } from "node:crypto";
import { sentenceWeights } from "./relevance.ts";
import { endsSentence } from "./tokens.ts";
import { contextKey, end, longestContext, type Model, type Occurrence, start } from "./train.ts";

export type Sampling = {
  /** 0: always the most likely token. */
  temperature: number;
  /** Only the most likely tokens that together reach this share are sampled. */
  topP: number;
  seed: number;
};

/** Probability that a context reserves for shorter ones, per distinct token seen after it, by context length. */
const reserve = [0, 0, 0.2, 0.5];
/** Factor for a sentence right after the one that precedes it in the text. */
const continuation = 8;
/** Decay of a sentence that the reply has used: its weight is multiplied by e^-fatigue. */
const fatigue = 5;

/**
 * Samples a reply token by token. The same model, messages and sampling give the same reply. It ends where a paragraph
 * of the text could end; the consumer may stop earlier.
 */
export function* generate(model: Model, messages: readonly string[], sampling: Sampling): Generator<string> {
  const random = randomNumbers(sampling.seed);
  const weights = sentenceWeights(model, messages);
  const uses = new Float64Array(weights.length);
  let context = [start];
  let following: ReadonlySet<number> = new Set();
  for (let isFirst = true; ; isFirst = false) {
    const weigh = ({ token, sentence }: Occurrence) => {
      if (token === end && isFirst) return 0;
      const fresh = token === end ? 1 : Math.exp(-fatigue * (uses[sentence] ?? 0));
      const next = context[0] === start && following.has(sentence) ? continuation : 1;
      return (weights[sentence] ?? 0) * fresh * next;
    };
    const { chances, longest } = nextTokens(model, context, weigh);
    const token = draw(chances, sampling, random());
    if (token === end) return;
    const word = model.words[token] ?? "";
    yield word;
    const sources = longest
      .filter((occurrence) => occurrence.token === token)
      .map(({ sentence }) => sentence);
    for (const s of sources)
      uses[s] = (uses[s] ?? 0) + 1 / (sources.length * (model.sentences[s]?.length ?? 1));
    if (endsSentence(word)) following = new Set(sources.map((sentence) => sentence + 1));
    context = endsSentence(word) ? [start] : [...context, token].slice(-longestContext);
  }
}

/**
 * Interpolates the counts after the longest context with those after shorter ones (Witten and Bell's idea: a context
 * followed by many different tokens is less reliable). A context of one word has always been seen, so none is shorter.
 */
function nextTokens(model: Model, context: readonly number[], weigh: (occurrence: Occurrence) => number) {
  let chances = new Map<number, number>();
  let longest: readonly Occurrence[] = [];
  for (let length = 1; length <= context.length; length += 1) {
    const seen = model.contexts.get(contextKey(context.slice(-length)));
    if (!seen) break;
    longest = seen;
    const counts = new Map<number, number>();
    let total = 0;
    for (const occurrence of seen) {
      const weight = weigh(occurrence);
      total += weight;
      counts.set(occurrence.token, (counts.get(occurrence.token) ?? 0) + weight);
    }
    if (total <= 0) continue;
    const kept = length === 1 ? 1 : seen.length / (seen.length + (reserve[length] ?? 0) * counts.size);
    const mixed = new Map([...chances].map(([token, chance]) => [token, chance * (1 - kept)]));
    for (const [token, weight] of counts) mixed.set(token, (mixed.get(token) ?? 0) + (kept * weight) / total);
    chances = mixed;
  }
  return { chances, longest };
}

function draw(chances: ReadonlyMap<number, number>, { temperature, topP }: Sampling, random: number): number {
  const ordered = [...chances].sort(([a, p], [b, q]) => q - p || a - b);
  const [likeliest] = ordered;
  if (!likeliest) return end;
  if (temperature === 0) return likeliest[0];
  // Relative to the most likely token, so that a low temperature does not underflow.
  const scaled = ordered.map(([token, p]): [number, number] => [
    token,
    (p / likeliest[1]) ** (1 / temperature),
  ]);
  const all = scaled.reduce((sum, [, p]) => sum + p, 0);
  let kept = 0;
  const nucleus = scaled.filter(([, p]) => {
    const inside = kept < topP * all;
    if (inside) kept += p;
    return inside;
  });
  let left = random * kept;
  for (const [token, p] of nucleus) {
    left -= p;
    if (left < 0) return token;
  }
  return nucleus.at(-1)?.[0] ?? likeliest[0];
}

/** Numbers in [0, 1): 48 bits of each successive sha256 of the seed. Fast enough for a reply. */
function randomNumbers(seed: number): () => number {
  let counter = 0;
  return () => {
    const hash = createHash("sha256").update(`${seed}:${counter++}`).digest();
    return hash.readUIntBE(0, 6) / 2 ** 48;
  };
}
