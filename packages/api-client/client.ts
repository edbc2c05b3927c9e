import { openLines } from "./lines.ts";
import { createPages } from "./pages.ts";
import { type ApiClientOptions, baseUrl, type Call, exchange, exchangeBytes, openBody } from "./requests.ts";
import {
  addressOf,
  type EntryOf,
  type InputOf,
  type LinesRoute,
  type PagedRoute,
  type ResultOf,
  type Route,
} from "./routes.ts";
import type { ServerSentEvent } from "./serverSentEvents.ts";
import { openStream } from "./streams.ts";

export type { ApiClientOptions } from "./requests.ts";
export type { Schema } from "./routes.ts";
export type { ServerSentEvent } from "./serverSentEvents.ts";

/** Settings of one call. */
export type CallOptions = {
  headers?: Record<string, string> | undefined;
  /** Aborts the call. */
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  /** Makes a repetition of a write harmless, so that the call is retried. */
  idempotencyKey?: string | undefined;
};

export type StreamOptions = CallOptions & {
  /** Continues after this event. */
  lastEventId?: string | undefined;
  /** Connects again when the stream ends or breaks off, until the signal aborts. Only where a repetition has no effect. */
  resume?: boolean | undefined;
};

/** Requests to the partner API. */
export type ApiClient = {
  readonly url: string;
  /** Calls a route, with the types of its description: `api.call("GET /v1/workspaces/{id}", { path: { id } })`. */
  call<Name extends Route>(route: Name, input: InputOf<Name>, options?: CallOptions): Promise<ResultOf<Name>>;
  /** The body of a route's success as it is, such as a PDF. */
  bytes<Name extends Route>(route: Name, input: InputOf<Name>, options?: CallOptions): Promise<Uint8Array>;
  /** The response of a route's success, whose body is read while it arrives, such as that of a large file. */
  open<Name extends Route>(route: Name, input: InputOf<Name>, options?: CallOptions): Promise<Response>;
  /** Every entry of a list. The pages are read as they are needed. */
  list<Name extends PagedRoute>(
    route: Name,
    input: InputOf<Name>,
    options?: CallOptions,
  ): AsyncGenerator<EntryOf<Name>>;
  /** The server-sent events of a route. The iterator ends with the stream. */
  stream<Name extends Route>(
    route: Name,
    input: InputOf<Name>,
    options?: StreamOptions,
  ): AsyncGenerator<ServerSentEvent>;
  /**
   * The entries of a route that answers in JSON lines. After a cut it is asked again with the `cursor` of the last entry. With
   * `follow` in the query it waits for further entries until the signal aborts.
   */
  lines<Entry extends { cursor: string }, Name extends LinesRoute = LinesRoute>(
    route: Name,
    input: InputOf<Name>,
    options?: CallOptions,
  ): AsyncGenerator<Entry>;
  /** A path begins with `/v1/`; the result is the parsed JSON body. */
  get<Result>(path: string): Promise<Result>;
  post<Result>(path: string, body: unknown, headers?: Record<string, string>): Promise<Result>;
  delete<Result>(path: string): Promise<Result>;
  /** A client of the same market with another API key. */
  withKey(apiKey: string): ApiClient;
};

/**
 * Creates a client of a market's partner API.
 *
 * Every method throws ApiError if the API returns an error, and ApiUnreachableError if there is no response. A request that may
 * be repeated is sent again after a temporary failure. A stream also throws StreamCutError.
 */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const send = <Result>(call: Call) => exchange<Result>(options, call);
  const callOf = (route: string, input: object, given: CallOptions): Call => {
    const [method, path] = addressOf(route, input);
    const { headers, idempotencyKey, ...rest } = given;
    return {
      method,
      path,
      body: (input as { body?: unknown }).body,
      ...rest,
      headers: { ...headers, ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }) },
    };
  };
  return {
    url: baseUrl(options),
    call: (route, input, given = {}) => send(callOf(route, input, given)),
    bytes: (route, input, given = {}) => exchangeBytes(options, callOf(route, input, given)),
    open: (route, input, given = {}) => openBody(options, callOf(route, input, given)),
    list: (route, input, given = {}) =>
      createPages(input, (query) => send(callOf(route, { ...input, query }, given))),
    stream: (route, input, given = {}) => {
      const { resume, lastEventId, ...rest } = given;
      return openStream(options, callOf(route, input, rest), { resume, lastEventId });
    },
    lines: (route, input, given = {}) => {
      const query = (input.query ?? {}) as { cursor?: string; follow?: string };
      const callAfter = (cursor = query.cursor) =>
        callOf(route, { ...input, query: { ...query, cursor } }, given);
      return openLines(options, callAfter, { follow: query.follow === "true" });
    },
    get: (path) => send({ method: "GET", path }),
    post: (path, body, headers) => send({ method: "POST", path, body, headers }),
    delete: (path) => send({ method: "DELETE", path }),
    withKey: (apiKey) => createApiClient({ ...options, apiKey }),
  };
}
