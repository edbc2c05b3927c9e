import { ApiError, ApiUnreachableError, errorOf, StreamCutError } from "./errors.ts";
import { type ApiClientOptions, baseUrl, type Call, parse, send, signalOf, withRetries } from "./requests.ts";
import { mayRetry, pause, pauseBefore } from "./retry.ts";
import { readEvents, type ServerSentEvent } from "./serverSentEvents.ts";
import { watchSilence } from "./silence.ts";

/** @deadline A byte of a stream that is resumed; the server sends a comment every 15 s. It is connected again. */
const resumedSilence = 60_000;
/** @deadline A byte of a container's stream; the market's longest own deadline is 3,600 s. The stream fails. */
const silence = 3_660_000;
/** Milliseconds before a stream that has ended is connected again, unless the server says otherwise. */
const defaultPause = 2_000;

type Resumption = { resume: boolean | undefined; lastEventId: string | undefined };

/** The server-sent events of a response. With `resume` the stream is connected again after its last event. */
export async function* openStream(
  options: ApiClientOptions,
  call: Call,
  { resume = false, lastEventId = "" }: Resumption,
): AsyncGenerator<ServerSentEvent> {
  const signal = signalOf(options, call);
  const state = { lastEventId, failures: 0, pauseMs: defaultPause };
  for (;;) {
    try {
      for await (const event of connect(options, call, state, resume ? resumedSilence : silence)) {
        state.failures = 0;
        yield event;
      }
      if (!resume) return;
      await pause(state.pauseMs, signal);
    } catch (error) {
      if (signal?.aborted === true && resume) return;
      if (!resume || !isTemporary(error)) throw error;
      await pause(Math.max(state.pauseMs, pauseBefore(state.failures++, error)), signal);
    }
    if (signal?.aborted === true) return;
  }
}

const isTemporary = (error: unknown) => error instanceof StreamCutError || mayRetry(error, true);

async function* connect(
  options: ApiClientOptions,
  call: Call,
  state: { lastEventId: string; pauseMs: number },
  silenceMs: number,
): AsyncGenerator<ServerSentEvent> {
  const url = `${baseUrl(options)}${call.path}`;
  const watch = watchSilence(silenceMs);
  const outer = signalOf(options, call);
  const signal = outer === undefined ? watch.signal : AbortSignal.any([outer, watch.signal]);
  const headers: Record<string, string> = { ...call.headers };
  if (state.lastEventId !== "") headers["last-event-id"] = state.lastEventId;
  try {
    const response = await withRetries(options, call, async () => {
      const answered = await send(
        options,
        { ...call, headers },
        {
          signal,
          accept: "text/event-stream",
          longestSilence: silenceMs,
        },
      );
      if (!answered.ok) {
        throw errorOf(answered, parse(await answered.text().catch(() => "")), `${call.method} ${url}`);
      }
      return answered;
    });
    yield* eventsOf(response, { url, state, watch });
  } finally {
    watch.stop();
  }
}

async function* eventsOf(
  response: Response,
  of: {
    url: string;
    state: { lastEventId: string; pauseMs: number };
    watch: ReturnType<typeof watchSilence>;
  },
): AsyncGenerator<ServerSentEvent> {
  const { url, state, watch } = of;
  const type = response.headers.get("content-type") ?? "";
  if (response.body === null || !type.startsWith("text/event-stream")) {
    await response.body?.cancel();
    throw new ApiError(`${url} returned ${type === "" ? "no content type" : type} instead of a stream.`, {
      status: response.status,
      code: "answer_invalid",
      requestId: response.headers.get("x-request-id") ?? undefined,
    });
  }
  try {
    const onRetry = (milliseconds: number) => {
      state.pauseMs = milliseconds;
    };
    for await (const event of readEvents(watch.through(response.body), onRetry)) {
      state.lastEventId = event.id;
      yield event;
    }
  } catch (error) {
    throw error instanceof ApiUnreachableError ? error : new StreamCutError(url, error);
  }
}
