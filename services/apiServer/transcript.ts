import type { IncomingHttpHeaders } from "node:http";
import { StringDecoder } from "node:string_decoder";
import { z } from "zod";
import { createBodyDecoder } from "./decodeBody.ts";
import { parsedOf } from "./taskResult.ts";

/** Collects the response of a chat without storing every event of its stream. */
export type Transcript = {
  add(part: Buffer): void;
  /** A parsed JSON response, or `{ streamed, content, finishReason }` of a stream; undefined: it cannot be decoded. */
  result(): Promise<unknown>;
};

/** What reads the decoded text. */
type Reader = { add(part: Buffer): void; result(): unknown };

/** Maximum stored characters; longer responses are truncated. */
const storedLength = 1 << 20;

const event = z.object({
  choices: z.array(
    z.object({
      delta: z.object({ content: z.string().nullish() }).optional(),
      finish_reason: z.string().nullish(),
    }),
  ),
});

/** A longer response is not decoded further, so that a small one cannot take the processor's time. */
const decodedLength = 64 << 20;

export function createTranscript(headers: IncomingHttpHeaders): Transcript {
  const isStream = /^text\/event-stream/i.test(headers["content-type"] ?? "");
  const reader = isStream ? streamTranscript() : fullTranscript();
  const decoder = createBodyDecoder(headers["content-encoding"], decodedLength, (part) => reader.add(part));
  return {
    add: (part) => decoder?.add(part),
    result: async () => {
      await decoder?.end();
      return decoder === undefined ? undefined : reader.result();
    },
  };
}

function fullTranscript(): Reader {
  const decoder = new StringDecoder("utf8");
  let text = "";
  return {
    add: (part) => {
      if (text.length < storedLength) text += decoder.write(part);
    },
    result: () => {
      const parsed = parsedOf(text);
      return parsed === text ? text.slice(0, storedLength) : parsed;
    },
  };
}

function streamTranscript(): Reader {
  const decoder = new StringDecoder("utf8");
  let line = "";
  let content = "";
  let finishReason: string | null = null;
  const readLine = (text: string) => {
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
      for (const one of lines) readLine(one);
    },
    result: () => {
      readLine(line);
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
