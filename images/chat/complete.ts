import { randomInt } from "node:crypto";
import { setImmediate, setTimeout } from "node:timers/promises";
import { generate } from "./model/generate.ts";
import { joined, tokenize } from "./model/tokens.ts";
import type { Model } from "./model/train.ts";
import type { CompletionRequest } from "./request.ts";
import { stopFilter } from "./stop.ts";

export type Usage = { prompt_tokens: number; completion_tokens: number; total_tokens: number };
export type Completion = { finish: "stop" | "length"; usage: Usage };

/**
 * Generates the reply and passes its text to `onText` piece by piece, waiting for each call.
 *
 * @param options.tokensPerSecond Maximum speed; 0: unlimited.
 * @throws The signal's reason when it aborts: generation stops when the client disconnects.
 */
export async function complete(options: {
  model: Model;
  request: CompletionRequest;
  tokensPerSecond: number;
  signal: AbortSignal;
  onText: (text: string) => void | Promise<void>;
}): Promise<Completion> {
  const { model, request, tokensPerSecond, signal, onText } = options;
  const { messages, maxTokens, temperature, topP, stop, seed = randomInt(2 ** 47) } = request;
  const promptTokens = messages.reduce((sum, message) => sum + tokenize(message).length, 0);
  const filter = stopFilter(stop);
  let drawn = 0;
  const close = (finish: Completion["finish"]): Completion => {
    const usage = {
      prompt_tokens: promptTokens,
      completion_tokens: drawn,
      total_tokens: promptTokens + drawn,
    };
    return { finish, usage };
  };
  for (const token of generate(model, messages, { temperature, topP, seed })) {
    if (drawn === maxTokens) {
      await emit(filter.rest(), onText);
      return close("length");
    }
    const { text, stopped } = filter.push(joined(token, drawn === 0));
    drawn += 1;
    await emit(text, onText);
    if (stopped) return close("stop");
    // Yields to the event loop, so that a closed connection is detected.
    if (tokensPerSecond > 0) await setTimeout(1000 / tokensPerSecond, undefined, { signal });
    else await setImmediate(undefined, { signal });
  }
  await emit(filter.rest(), onText);
  return close("stop");
}

async function emit(text: string, onText: (text: string) => void | Promise<void>): Promise<void> {
  if (text !== "") await onText(text);
}
