import type { IncomingMessage, ServerResponse } from "node:http";

/** A rejected request with its HTTP status. Each server sends it in its own error format. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly status: number;
  readonly code: string;
  /** What the client can do. */
  readonly hint: string;
  /** The invalid field of the body; null: none. */
  readonly field: string | null;

  constructor(status: number, code: string, message: string, hint: string, field: string | null = null) {
    super(message);
    this.hint = hint;
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

/**
 * The parts of a request's body.
 *
 * @param limit Maximum bytes.
 * @throws `tooLong` when the body is longer.
 */
export async function* bodyOf(
  request: IncomingMessage,
  limit: number,
  tooLong: RequestError,
): AsyncGenerator<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > limit) throw tooLong;
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > limit) throw tooLong;
    yield chunk;
  }
}

/**
 * Reads a request's body as JSON.
 *
 * @param limit Maximum bytes.
 * @throws RequestError 413 when it is longer, 400 when it is not JSON.
 */
export async function readJson(request: IncomingMessage, limit: number): Promise<unknown> {
  const bytes = await readBytes(request, limit);
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new RequestError(
      400,
      "json_invalid",
      "The body is not valid JSON.",
      "Send a JSON object, with Content-Type: application/json.",
    );
  }
}

/**
 * Reads a request's body.
 *
 * @param limit Maximum bytes.
 * @throws RequestError 413 when it is longer.
 */
export async function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLong = new RequestError(
    413,
    "body_too_large",
    `The body may have at most ${limit} bytes.`,
    "Send a shorter body.",
  );
  const chunks: Buffer[] = [];
  for await (const chunk of bodyOf(request, limit, tooLong)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A signal that aborts when the client disconnects before the response is finished. */
export function abortOnClose(response: ServerResponse): AbortSignal {
  const disconnected = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) disconnected.abort(new Error("the client disconnected"));
  });
  return disconnected.signal;
}

/** Writes one piece and waits while the client reads more slowly. Throws when the signal aborts. */
export async function writePiece(
  response: ServerResponse,
  piece: string | Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (response.write(piece)) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const aborted = () => reject(signal.reason);
  response.once("drain", resolve);
  signal.addEventListener("abort", aborted, { once: true });
  try {
    await promise;
  } finally {
    response.off("drain", resolve);
    signal.removeEventListener("abort", aborted);
  }
}
