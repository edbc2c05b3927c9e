/** An invalid field of a request. */
export type FieldError = {
  location: "path" | "query" | "header" | "body";
  /** JSON Pointer to the field. */
  pointer: string;
  detail: string;
};

/** An error returned by the API: a problem of RFC 9457. `code` is stable; the reference lists all codes. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status of the response. */
  readonly status: number;
  readonly code: string;
  /** How to resolve the error, if the API includes it. */
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  /** The invalid fields of the request. */
  readonly errors: readonly FieldError[];
  /** Identifies the request in the logs of the market. */
  readonly requestId: string | undefined;
  /** Seconds after which the request may succeed, if the API says so. */
  readonly retryAfter: number | undefined;

  constructor(
    message: string,
    facts: {
      status: number;
      code: string;
      hint?: string | undefined;
      details?: Record<string, unknown> | undefined;
      errors?: readonly FieldError[] | undefined;
      requestId?: string | undefined;
      retryAfter?: number | undefined;
    },
  ) {
    super(message);
    this.status = facts.status;
    this.code = facts.code;
    this.hint = facts.hint;
    this.details = facts.details ?? {};
    this.errors = facts.errors ?? [];
    this.requestId = facts.requestId;
    this.retryAfter = facts.retryAfter;
  }
}

/** There was no response: the URL is wrong, the network is down, or the timeout expired. `cause` is the reason. */
export class ApiUnreachableError extends Error {
  override readonly name = "ApiUnreachableError";
  readonly url: string;

  constructor(url: string, cause: unknown) {
    super(`The API at ${url} does not answer: ${reasonOf(cause)}`, { cause });
    this.url = url;
  }
}

/** A stream ended before its end. What arrived until then was passed on. `cause` is the reason. */
export class StreamCutError extends Error {
  override readonly name = "StreamCutError";

  constructor(url: string, cause: unknown) {
    super(`The stream of ${url} broke off: ${reasonOf(cause)}`, { cause });
  }
}

/** fetch wraps the actual error as its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

type ErrorBody = {
  code?: unknown;
  detail?: unknown;
  message?: unknown;
  hint?: unknown;
  details?: unknown;
  errors?: unknown;
};

/** Reads a problem (RFC 9457), or the error of an OpenAI-compatible endpoint. */
export function errorOf(response: Response, parsed: unknown, request: string): ApiError {
  const problem = (parsed ?? {}) as ErrorBody & { error?: ErrorBody; request_id?: unknown };
  const body: ErrorBody = problem.error ?? problem;
  const text = body.detail ?? body.message;
  const message =
    typeof text === "string"
      ? text
      : `${request} returned HTTP ${response.status} without a valid JSON body.`;
  const requestId = response.headers.get("x-request-id") ?? problem.request_id;
  return new ApiError(message, {
    status: response.status,
    code: typeof body.code === "string" ? body.code : "answer_invalid",
    hint: typeof body.hint === "string" ? body.hint : undefined,
    details: typeof body.details === "object" ? (body.details as Record<string, unknown>) : undefined,
    errors: Array.isArray(body.errors) ? (body.errors as FieldError[]) : undefined,
    requestId: typeof requestId === "string" ? requestId : undefined,
    retryAfter: secondsIn(response.headers.get("retry-after")),
  });
}

/** A Retry-After header: seconds, or a date. */
function secondsIn(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000);
}
