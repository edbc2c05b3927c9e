import { ApiError, ApiUnreachableError } from "./errors.ts";

export type ApiClientOptions = {
  /** URL of the market's API, such as https://market.example. */
  url: string;
  /** API key. Without it only public endpoints are available. */
  apiKey?: string | undefined;
  /** Aborts all requests of this client. */
  signal?: AbortSignal | undefined;
  /** Timeout of a request, milliseconds. Default 180,000: a write waits for its transaction. */
  timeoutMs?: number | undefined;
};

/** Requests to the partner API. A path begins with `/v1/`; the result is the parsed JSON body. */
export type ApiClient = {
  readonly url: string;
  get<Result>(path: string): Promise<Result>;
  post<Result>(path: string, body: unknown, headers?: Record<string, string>): Promise<Result>;
  delete<Result>(path: string): Promise<Result>;
  /** A client of the same market with another API key. */
  withKey(apiKey: string): ApiClient;
};

/** @deadline The partner API, body included. The call fails. */
const defaultTimeoutMs = 180_000;

/**
 * Creates a client of a market's partner API.
 *
 * Every method throws ApiError if the API returns an error, and ApiUnreachableError if there is no response.
 */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const url = options.url.replace(/\/+$/, "");
  return {
    url,
    get: (path) => request(options, "GET", `${url}${path}`),
    post: (path, body, headers) => request(options, "POST", `${url}${path}`, body, headers),
    delete: (path) => request(options, "DELETE", `${url}${path}`),
    withKey: (apiKey) => createApiClient({ ...options, apiKey }),
  };
}

async function request<Result>(
  options: ApiClientOptions,
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Result> {
  const deadline = AbortSignal.timeout(options.timeoutMs ?? defaultTimeoutMs);
  const { response, text } = await exchange(url, {
    method,
    signal: options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]),
    headers: {
      accept: "application/json",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const parsed = parse(text);
  if (response.ok && parsed !== undefined) return parsed as Result;
  throw errorOf(response, parsed, `${method} ${url}`);
}

async function exchange(url: string, init: RequestInit): Promise<{ response: Response; text: string }> {
  try {
    const response = await fetch(url, init);
    return { response, text: await response.text() };
  } catch (cause) {
    throw new ApiUnreachableError(new URL(url).origin, cause);
  }
}

/** Parses JSON; undefined if the text is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type ErrorBody = { code?: unknown; detail?: unknown; message?: unknown; hint?: unknown; details?: unknown };

/** Reads a problem (RFC 9457), or the error of an OpenAI-compatible endpoint. */
function errorOf(response: Response, parsed: unknown, request: string): ApiError {
  const problem = (parsed ?? {}) as ErrorBody & { error?: ErrorBody };
  const body: ErrorBody = problem.error ?? problem;
  const text = body.detail ?? body.message;
  const message =
    typeof text === "string"
      ? text
      : `${request} returned HTTP ${response.status} without a valid JSON body.`;
  return new ApiError(message, {
    status: response.status,
    code: typeof body.code === "string" ? body.code : "answer_invalid",
    hint: typeof body.hint === "string" ? body.hint : undefined,
    details: typeof body.details === "object" ? (body.details as Record<string, unknown>) : undefined,
    requestId: response.headers.get("x-request-id") ?? undefined,
  });
}
