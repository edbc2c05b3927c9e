import type { IncomingMessage } from "node:http";
import { type ErrorOptions, NgpuError } from "@ngpu/runtime/errors";
import { createBodyDecoder } from "./decodeBody.ts";
import { shapeOf } from "./payload.ts";

/** Maximum size of a stored response, in bytes, as sent and decoded. */
export const maxResultBytes = 8 << 20;

/** The reason why a task got no complete response. */
export class TaskError extends NgpuError {
  readonly retryable: boolean;
  constructor(message: string, options: ErrorOptions & { retryable: boolean }) {
    super(message, options);
    this.retryable = options.retryable;
  }
}

/** A container's response as it was received. */
export type RawResult = {
  bytes: Buffer;
  contentType: string | undefined;
  contentEncoding: string | undefined;
};

/** `shown` is the result in a task's JSON. */
export type TaskResult = { shown: unknown; raw: RawResult };

/**
 * Reads a container's response.
 *
 * @throws TaskError `result_too_large` above 8 MiB.
 */
export async function readResult(message: IncomingMessage): Promise<TaskResult> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxResultBytes) throw tooLong();
    parts.push(part);
  }
  const { "content-type": contentType, "content-encoding": contentEncoding } = message.headers;
  const raw: RawResult = { bytes: Buffer.concat(parts), contentType, contentEncoding };
  return { shown: await shownOf(raw), raw };
}

/**
 * JSON is parsed, UTF-8 text is a string, everything else becomes `{ base64, contentType }`. A coded body is decoded first. One
 * that cannot be decoded is shown as received, with its coding.
 */
async function shownOf({ bytes, contentType = "", contentEncoding }: RawResult): Promise<unknown> {
  const decoded = await decode(bytes, contentEncoding);
  if (decoded === undefined) {
    return { base64: bytes.toString("base64"), contentType, contentEncoding };
  }
  const isJson = /[/+]json\b/i.test(contentType);
  const text =
    isJson || contentType === "" || /^text\//i.test(contentType) ? utf8Of(decoded, contentType) : undefined;
  if (text === undefined) return { base64: decoded.toString("base64"), contentType };
  return isJson ? parsedOf(text) : text;
}

/** Deepest nesting of a result that is shown as JSON. A deeper one cannot be serialized again. */
const maxDepth = 500;

/** The value of a JSON text; the text itself when it is not JSON, or nested too deep. */
export function parsedOf(text: string): unknown {
  try {
    const { depth } = shapeOf(Buffer.from(text));
    return depth > maxDepth ? text : (JSON.parse(text) as unknown);
  } catch {
    return text;
  }
}

async function decode(bytes: Buffer, contentEncoding: string | undefined): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  const decoder = createBodyDecoder(contentEncoding, maxResultBytes, (part) => parts.push(part));
  if (decoder === undefined) return undefined;
  decoder.add(bytes);
  return (await decoder.end()) ? Buffer.concat(parts) : undefined;
}

/** Undefined when the bytes are not UTF-8, so that no byte is lost. */
function utf8Of(bytes: Buffer, contentType: string): string | undefined {
  const charset = /charset="?([\w-]+)/i.exec(contentType)?.[1] ?? "utf-8";
  if (!/^(utf-?8|us-ascii)$/i.test(charset)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function tooLong(): TaskError {
  return new TaskError(`The response is larger than ${maxResultBytes} bytes.`, {
    code: "result_too_large",
    hint: "Let the container answer in smaller parts, or store the result elsewhere and return its address.",
    retryable: false,
  });
}
