import type { IncomingMessage } from "node:http";
import { NgpuError } from "@ngpu/runtime/errors";

/** Longest answer that is kept, in bytes. */
const maxResultBytes = 8 << 20;

/** What kept a task from its answer. */
export class TaskError extends NgpuError {
  readonly retryable: boolean;
  constructor(message: string, code: string, retryable: boolean) {
    super(message, { code });
    this.retryable = retryable;
  }
}

/** JSON as it is, text as a string, anything else as base64. */
export async function readResult(message: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxResultBytes) {
      throw new TaskError(`The answer is longer than ${maxResultBytes} bytes.`, "result_too_long", false);
    }
    parts.push(part);
  }
  const bytes = Buffer.concat(parts);
  const contentType = String(message.headers["content-type"] ?? "");
  if (/[/+]json\b/i.test(contentType)) {
    try {
      return JSON.parse(bytes.toString("utf8")) as unknown;
    } catch {
      return bytes.toString("utf8");
    }
  }
  if (contentType === "" || /^text\//i.test(contentType)) return bytes.toString("utf8");
  return { base64: bytes.toString("base64"), contentType };
}
