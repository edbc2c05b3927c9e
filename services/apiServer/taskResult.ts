import type { IncomingMessage } from "node:http";
import { type ErrorOptions, NgpuError } from "@ngpu/runtime/errors";

/** Maximum size of a stored response, in bytes. */
const maxResultBytes = 8 << 20;

/** The reason why a task got no complete response. */
export class TaskError extends NgpuError {
  readonly retryable: boolean;
  constructor(message: string, options: ErrorOptions & { retryable: boolean }) {
    super(message, options);
    this.retryable = options.retryable;
  }
}

/**
 * Reads a container's response: JSON is parsed, text is a string, everything else becomes `{ base64, contentType }`.
 *
 * @throws TaskError `result_too_large` above 8 MiB.
 */
export async function readResult(message: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxResultBytes) {
      throw new TaskError(`The response is larger than ${maxResultBytes} bytes.`, {
        code: "result_too_large",
        hint: "Let the container answer in smaller parts, or store the result elsewhere and return its address.",
        retryable: false,
      });
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
