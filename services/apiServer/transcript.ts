import { StringDecoder } from "node:string_decoder";
import { z } from "zod";

/** Keeps what a chat answered, without keeping every event of its stream. */
export type Transcript = {
  add(part: Buffer): void;
  /** A JSON answer as it is; a stream as `{ streamed, content, finishReason }`. */
  result(): unknown;
};

/** Characters kept; an answer that is longer is cut there. */
const storedLength = 1 << 20;

const event = z.object({
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish() }).optional(),
      finish_reason: z.string().nullish(),
    }),
  ),
});

export function createTranscript(contentType: string): Transcript {
  return /^text\/event-stream/i.test(contentType) ? streamTranscript() : fullTranscript();
}

function fullTranscript(): Transcript {
  const decoder = new StringDecoder("utf8");
  let text = "";
  return {
    add: (part) => {
      if (text.length < storedLength) text += decoder.write(part);
    },
    result: () => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        return text.slice(0, storedLength);
      }
    },
  };
}

function streamTranscript(): Transcript {
  const decoder = new StringDecoder("utf8");
  let line = "";
  let content = "";
  let finishReason: string | null = null;
  const take = (text: string) => {
    const data = /^data:\s*(\{.*)$/.exec(text)?.[1];
    if (data === undefined) return;
    const choice = parseEvent(data)?.choices[0];
    if (choice === undefined) return;
    if (content.length < storedLength) content += choice.delta?.content ?? "";
    finishReason = choice.finish_reason ?? finishReason;
  };
  return {
    add: (part) => {
      const lines = (line + decoder.write(part)).split(/\r?\n/);
      line = (lines.pop() ?? "").slice(0, storedLength);
      for (const one of lines) take(one);
    },
    result: () => {
      take(line);
      return { streamed: true, content: content.slice(0, storedLength), finishReason };
    },
  };
}

function parseEvent(data: string) {
  try {
    return event.safeParse(JSON.parse(data)).data;
  } catch {
    return undefined;
  }
}
