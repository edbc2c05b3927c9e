import type { IncomingHttpHeaders } from "node:http";
import { StringDecoder } from "node:string_decoder";
import { z } from "zod";
import { createBodyDecoder } from "./decodeBody.ts";
import { parsedOf } from "./taskResult.ts";

/** Collects the response of a container without storing every event of its stream. */
export type Transcript = {
  add(part: Buffer): void;
  /**
   * A parsed JSON response, a text, `{ streamed, content, finishReason }` of a stream, or `{ base64, contentType }` of other bytes,
   * with `bytes` and `truncated` if only their beginning is kept; undefined: it cannot be decoded.
   */
  result(): Promise<unknown>;
};

/** What reads the decoded text. */
type Reader = { add(part: Buffer): void; result(): unknown };

/** Maximum stored bytes, of a stream characters; longer responses are truncated. */
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
  const type = headers["content-type"] ?? "";
  const reader = /^text\/event-stream/i.test(type) ? streamTranscript() : fullTranscript(type);
  const decoder = createBodyDecoder(headers["content-encoding"], decodedLength, (part) => reader.add(part));
  return {
    add: (part) => decoder?.add(part),
    result: async () => {
      await decoder?.end();
      return decoder === undefined ? undefined : reader.result();
    },
  };
}

/** What is text by its type; another type is shown as text if its bytes are. */
const isBinary = (contentType: string) => /^(audio|image|video|font)\/|octet-stream/i.test(contentType);

function fullTranscript(contentType: string): Reader {
  const parts: Buffer[] = [];
  let kept = 0;
  let length = 0;
  return {
    add: (part) => {
      length += part.length;
      if (kept >= storedLength) return;
      parts.push(part.subarray(0, storedLength - kept));
      kept += parts.at(-1)?.length ?? 0;
    },
    result: () => {
      const bytes = Buffer.concat(parts);
      const text = isBinary(contentType) ? undefined : textOf(bytes, length > kept);
      if (text !== undefined) return parsedOf(text);
      const cut = length > kept ? { bytes: length, truncated: true } : {};
      return { base64: bytes.toString("base64"), contentType, ...cut };
    },
  };
}

/** Undefined when the bytes are not UTF-8. The last character of a beginning may be cut. */
function textOf(bytes: Buffer, isBeginning: boolean): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isBeginning });
  } catch {
    return undefined;
  }
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
