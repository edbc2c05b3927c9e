import { addAbortSignal, type Readable } from "node:stream";

/** Longest line of the engine: a progress or an event. */
const maxLength = 1 << 20;

/**
 * The lines of a stream. An iteration that ends early closes the stream.
 *
 * @throws Error when the stream breaks, the signal is aborted or a line is too long.
 */
export async function* linesOf(stream: Readable, signal: AbortSignal): AsyncGenerator<string, void> {
  addAbortSignal(signal, stream);
  stream.setEncoding("utf8");
  let rest = "";
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maxLength) throw new RangeError(`a line of more than ${maxLength} characters`);
    yield* lines.filter((line) => line.trim() !== "");
  }
  if (rest.trim() !== "") yield rest;
}
