/** A server-sent event. */
export type ServerSentEvent = {
  /** `message` if the server does not name it. */
  event: string;
  data: string;
  /** The last id that the server has sent; empty before the first. */
  id: string;
};

/** Longest line that is kept, characters. A server that sends a longer one is not understood. */
const longestLine = 16 * 2 ** 20;

/**
 * Reads server-sent events as the HTML standard defines them.
 *
 * @param onRetry Called with the milliseconds that the server asks a client to wait before it connects again.
 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  onRetry: (milliseconds: number) => void = () => undefined,
): AsyncGenerator<ServerSentEvent> {
  let id = "";
  let event = "";
  let data: string[] = [];
  for await (const line of linesOf(body)) {
    if (line === "") {
      if (data.length > 0) yield { event: event === "" ? "message" : event, data: data.join("\n"), id };
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^\d+$/.test(value)) onRetry(Number(value));
  }
}

/** The complete lines of a text; they end with LF, CR LF or CR. */
async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the end may be the first half of CR LF.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    if (rest.length > longestLine) throw new Error(`a line has more than ${longestLine} characters`);
    yield* lines;
  }
}
