import { ApiError, errorOf, StreamCutError } from "./errors.ts";
import { type ApiClientOptions, baseUrl, type Call, parse, send, signalOf, withRetries } from "./requests.ts";
import { mayRetry, pause, pauseBefore } from "./retry.ts";
import { watchSilence } from "./silence.ts";

/** @deadline A byte of an answer in lines; the server sends an empty line every 15 s. It is asked for again. */
const silence = 60_000;
/** Milliseconds before an answer that has ended is followed further. */
const followPause = 1_000;
/** Failures in a row after which an answer that is not followed fails. */
const maxFailures = 5;
/** Longest line, characters. A server that sends a longer one is not understood. */
const longestLine = 16 * 2 ** 20;

/** The replica is on no node at the moment; one that is followed gets another. */
const isBetweenNodes = (error: unknown) => error instanceof ApiError && error.code === "replica_not_placed";

/**
 * The entries of an answer in JSON lines, each of which has a cursor. After a cut the answer is asked for again with the last cursor,
 * so that no entry is lost or comes twice. With `follow` this also happens after its end, until the signal aborts.
 */
export async function* openLines<Entry extends { cursor: string }>(
  options: ApiClientOptions,
  callAfter: (cursor: string | undefined) => Call,
  { follow }: { follow: boolean },
): AsyncGenerator<Entry> {
  const state: { cursor: string | undefined } = { cursor: undefined };
  const signal = signalOf(options, callAfter(undefined));
  let failures = 0;
  let hasBegun = false;
  for (;;) {
    try {
      for await (const entry of connect<Entry>(options, callAfter(state.cursor))) {
        failures = 0;
        hasBegun = true;
        state.cursor = entry.cursor;
        yield entry;
      }
      hasBegun = true;
      if (!follow) return;
      await pause(followPause, signal);
    } catch (error) {
      if (signal?.aborted === true && follow) return;
      const isTemporary = error instanceof StreamCutError || mayRetry(error, true);
      const mayWait = isTemporary || (follow && hasBegun && isBetweenNodes(error));
      if (!mayWait || (!follow && failures >= maxFailures)) throw error;
      await pause(pauseBefore(failures++, error), signal);
    }
    if (signal?.aborted === true) return;
  }
}

async function* connect<Entry>(options: ApiClientOptions, call: Call): AsyncGenerator<Entry> {
  const url = `${baseUrl(options)}${call.path}`;
  const watch = watchSilence(silence);
  const outer = signalOf(options, call);
  const signal = outer === undefined ? watch.signal : AbortSignal.any([outer, watch.signal]);
  try {
    const response = await withRetries(options, call, async () => {
      const answered = await send(options, call, {
        signal,
        accept: "application/jsonl",
        longestSilence: silence,
      });
      if (answered.ok) return answered;
      throw errorOf(answered, parse(await answered.text().catch(() => "")), `${call.method} ${url}`);
    });
    if (response.body === null) return;
    yield* entriesOf<Entry>(url, watch.through(response.body));
  } finally {
    watch.stop();
  }
}

/** @throws StreamCutError when the answer breaks off; a part of a line is dropped. */
async function* entriesOf<Entry>(url: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const lines = completeLines(body);
  for (;;) {
    let next: IteratorResult<string, void>;
    try {
      next = await lines.next();
    } catch (error) {
      throw new StreamCutError(url, error);
    }
    if (next.done === true) return;
    if (next.value !== "") yield JSON.parse(next.value) as Entry;
  }
}

async function* completeLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > longestLine) throw new Error(`a line has more than ${longestLine} characters`);
    yield* lines;
  }
  if (rest !== "") throw new Error("it ends within a line");
}
