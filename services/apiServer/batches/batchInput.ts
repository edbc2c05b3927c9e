import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { memberValue, shapeOf } from "../payload.ts";
import { batchLimits } from "../schemas/batches.ts";
import { chatRequest, modelRequest } from "../schemas/tasks.ts";
import type { InputFault } from "../store/batches.ts";

/** A request of an input. `body`: its own bytes. */
export type InputLine = { line: number; customId: string; model: string; body: Buffer };

/** Deepest nesting of a line. Deeper values cannot be serialized again. */
const maxDepth = 500;
const newline = 0x0a;

/**
 * The lines of an input with their numbers, from 1, while it is read. Those that are empty are left out.
 *
 * @returns A line without bytes is too long.
 */
export async function* linesOf(input: Readable): AsyncGenerator<{ line: number; bytes: Buffer | undefined }> {
  let parts: Buffer[] = [];
  let length = 0;
  let line = 1;
  const take = () => {
    const bytes = length > batchLimits.lineBytes ? undefined : Buffer.concat(parts);
    parts = [];
    length = 0;
    return bytes;
  };
  const add = (part: Buffer) => {
    length += part.length;
    // What is too long is counted, and not kept.
    if (length <= batchLimits.lineBytes) parts.push(part);
    else parts = [];
  };
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, from)) {
      add(chunk.subarray(from, end));
      const bytes = take();
      if (bytes === undefined || hasText(bytes)) yield { line, bytes };
      line += 1;
      from = end + 1;
    }
    add(chunk.subarray(from));
  }
  const last = take();
  if (last === undefined || hasText(last)) yield { line, bytes: last };
}

const hasText = (bytes: Buffer) => bytes.some((byte) => byte !== 0x20 && byte !== 0x0d && byte !== 0x09);

/** The request of a line, or what is wrong with it. */
export function inputLineOf(
  line: number,
  bytes: Buffer | undefined,
  endpoint: string,
): InputLine | InputFault {
  const fault = (code: string, message: string, param: string | null = null): InputFault => ({
    code,
    line,
    message,
    hint: "Correct the line, upload the file again, and create another batch.",
    param,
  });
  if (bytes === undefined)
    return fault("line_too_long", `The line is longer than ${batchLimits.lineBytes} bytes.`);
  const parsed = parsedOf(bytes);
  if (parsed === undefined) return fault("line_json_invalid", "The line is not a JSON object in UTF-8.");
  const { custom_id: customId, method, url, body } = parsed;
  if (typeof customId !== "string" || !/^[^\p{Cc}]{1,256}$/u.test(customId))
    return fault("line_custom_id_invalid", "custom_id is not a text of 1 to 256 characters.", "custom_id");
  if (method !== "POST") return fault("line_method_invalid", "method is not POST.", "method");
  if (url !== endpoint) return fault("line_url_mismatch", `url is not ${endpoint}.`, "url");
  const schema = endpoint === "/v1/chat/completions" ? chatRequest : modelRequest;
  const checked = schema.safeParse(body);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const param = ["body", ...(issue?.path ?? [])].join(".");
    return fault("line_body_invalid", `${param}: ${issue?.message}.`, param);
  }
  if ((body as { stream?: unknown }).stream === true)
    return fault("line_stream_unsupported", "A request of a batch is not streamed.", "body.stream");
  return { line, customId, model: checked.data.model, body: memberValue(bytes, "body") ?? Buffer.alloc(0) };
}

function parsedOf(bytes: Buffer): Record<string, unknown> | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    if (shapeOf(bytes).depth > maxDepth) return undefined;
    const value: unknown = JSON.parse(bytes.toString());
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
