import { ApiUnreachableError, errorOf } from "./errors.ts";
import { mayRetry, pause, pauseBefore } from "./retry.ts";

export type ApiClientOptions = {
  /** URL of the market's API, such as https://market.example. */
  url: string;
  /** API key. Without it only public endpoints are available. */
  apiKey?: string | undefined;
  /** Aborts all requests of this client. */
  signal?: AbortSignal | undefined;
  /** Timeout of a request, milliseconds. Default 180,000: a write waits for its transaction. */
  timeoutMs?: number | undefined;
  /** How often a request that may be repeated is sent again after a temporary failure. Default 2. */
  retries?: number | undefined;
  /**
   * Sends calls that may take longer than 300 s. Node's own fetch, the default, gives up then: pass `patientFetch`. A browser needs
   * none.
   */
  longFetch?: typeof fetch | undefined;
};

/** One request. */
export type Call = {
  method: string;
  /** With the query. */
  path: string;
  /** Sent as JSON, or as a form with files. */
  body?: unknown;
  headers?: Record<string, string> | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
};

/** @deadline The partner API, body included. The call fails. */
const defaultTimeoutMs = 180_000;
const defaultRetries = 2;
/** Longest time without a header or a byte that Node's own fetch waits, ms. */
const longestFetch = 300_000;

export const baseUrl = ({ url }: ApiClientOptions) => url.replace(/\/+$/, "");

/** Sends a request and returns the parsed body of its success. */
export async function exchange<Result>(options: ApiClientOptions, call: Call): Promise<Result> {
  return withRetries(options, call, async () => {
    const timeoutMs = call.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs;
    const { response, text } = await readText(options, call, timeoutMs);
    const parsed = parse(text);
    if (response.ok && parsed !== undefined) return parsed as Result;
    throw errorOf(response, parsed, `${call.method} ${baseUrl(options)}${call.path}`);
  });
}

/** Sends a request and returns the bytes of its success. */
export async function exchangeBytes(options: ApiClientOptions, call: Call): Promise<Uint8Array> {
  return withRetries(options, call, async () => {
    const longestSilence = call.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs;
    const signal = signalOf(options, call, longestSilence);
    const response = await send(options, call, { signal, accept: "*/*", longestSilence });
    if (!response.ok)
      throw errorOf(response, parse(await response.text()), `${call.method} ${baseUrl(options)}${call.path}`);
    return new Uint8Array(await response.arrayBuffer());
  });
}

/** Sends a request and returns its success, whose body is read by the caller. */
export async function openBody(options: ApiClientOptions, call: Call): Promise<Response> {
  return withRetries(options, call, async () => {
    const longestSilence = call.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs;
    const response = await send(options, call, {
      signal: signalOf(options, call),
      accept: "*/*",
      longestSilence,
    });
    if (response.ok) return response;
    throw errorOf(response, parse(await response.text()), `${call.method} ${baseUrl(options)}${call.path}`);
  });
}

/** Does the work again after a temporary failure, if the call may be repeated. */
export async function withRetries<Result>(
  options: ApiClientOptions,
  call: Call,
  work: () => Promise<Result>,
): Promise<Result> {
  const isRepeatable = call.method !== "POST" || call.headers?.["idempotency-key"] !== undefined;
  const signal = signalOf(options, call);
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isLast = attempt >= (options.retries ?? defaultRetries) || signal?.aborted === true;
      if (isLast || !mayRetry(error, isRepeatable)) throw error;
      await pause(pauseBefore(attempt, error), signal);
    }
  }
}

/** Aborted by the client, by the call, or after the time. */
export function signalOf(options: ApiClientOptions, call: Call, timeoutMs?: number): AbortSignal | undefined {
  const deadline = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const signals = [options.signal, call.signal, deadline].filter((signal) => signal !== undefined);
  return signals.length === 0 ? undefined : AbortSignal.any(signals);
}

/**
 * @param of.longestSilence How long the answer may be silent, ms.
 * @throws ApiUnreachableError
 */
export async function send(
  options: ApiClientOptions,
  call: Call,
  of: { signal: AbortSignal | undefined; accept: string; longestSilence: number },
): Promise<Response> {
  const { method, path, body, headers } = call;
  const { signal, accept, longestSilence } = of;
  const { longFetch = fetch } = options;
  try {
    return await (longestSilence > longestFetch ? longFetch : fetch)(`${baseUrl(options)}${path}`, {
      method,
      ...(signal === undefined ? {} : { signal }),
      headers: {
        accept,
        // A form says its type itself.
        ...(body === undefined || body instanceof FormData ? {} : { "content-type": "application/json" }),
        ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: body instanceof FormData ? body : JSON.stringify(body) }),
    });
  } catch (cause) {
    throw unreachable(options, cause);
  }
}

async function readText(options: ApiClientOptions, call: Call, timeoutMs: number) {
  const signal = signalOf(options, call, timeoutMs);
  const response = await send(options, call, {
    signal,
    accept: "application/json",
    longestSilence: timeoutMs,
  });
  try {
    return { response, text: await response.text() };
  } catch (cause) {
    throw unreachable(options, cause);
  }
}

function unreachable(options: ApiClientOptions, cause: unknown): ApiUnreachableError {
  const { url } = options;
  return new ApiUnreachableError(URL.canParse(url) ? new URL(url).origin : url, cause);
}

/** Parses JSON; undefined if the text is not JSON. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
