import { ApiError, ApiUnreachableError } from "./errors.ts";

export type ApiClientOptions = {
  /** URL of the market's API, such as https://market.example. */
  url: string;
  /** API key; without it only public endpoints are available. */
  apiKey?: string | undefined;
  /** Aborts all requests of this client. */
  signal?: AbortSignal | undefined;
  /** Deadline of a request in milliseconds; default: 180,000, because a write waits for its transaction. */
  timeoutMs?: number | undefined;
};

/** A client of the partner API. Paths begin with `/v1/`; methods return the parsed JSON body. */
export type ApiClient = {
  readonly url: string;
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  delete<Answer>(path: string): Promise<Answer>;
  /** A client with the same options and another API key. */
  withKey(apiKey: string): ApiClient;
};

const defaultTimeoutMs = 180_000;

/**
 * Creates a client of a market's partner API.
 *
 * Every method throws ApiError when the API returns an error, and ApiUnreachableError when there is no response.
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

async function request<Answer>(
  options: ApiClientOptions,
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
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
  const answer = parse(text);
  if (response.ok && answer !== undefined) return answer as Answer;
  throw errorOf(response, answer, `${method} ${url}`);
}

async function exchange(url: string, init: RequestInit): Promise<{ response: Response; text: string }> {
  try {
    const response = await fetch(url, init);
    return { response, text: await response.text() };
  } catch (cause) {
    throw new ApiUnreachableError(new URL(url).origin, cause);
  }
}

/** Undefined when the text is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type ErrorBody = { code?: unknown; message?: unknown; hint?: unknown; details?: unknown };

function errorOf(response: Response, answer: unknown, request: string): ApiError {
  const body: ErrorBody = (answer as { error?: ErrorBody } | undefined)?.error ?? {};
  const message =
    typeof body.message === "string"
      ? body.message
      : `${request} answered HTTP ${response.status} without a JSON error.`;
  return new ApiError(message, {
    status: response.status,
    code: typeof body.code === "string" ? body.code : "answer_invalid",
    hint: typeof body.hint === "string" ? body.hint : undefined,
    details: typeof body.details === "object" ? (body.details as Record<string, unknown>) : undefined,
    requestId: response.headers.get("x-request-id") ?? undefined,
  });
}
