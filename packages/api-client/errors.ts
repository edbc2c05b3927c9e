/** The API returned an error. `code` is stable; docs/reference/error-codes.md lists all codes. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status of the response. */
  readonly status: number;
  readonly code: string;
  /** How to resolve the error; undefined: no hint. */
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  /** Id of the request in the market's logs. */
  readonly requestId: string | undefined;

  constructor(
    message: string,
    facts: {
      status: number;
      code: string;
      hint?: string | undefined;
      details?: Record<string, unknown> | undefined;
      requestId?: string | undefined;
    },
  ) {
    super(message);
    this.status = facts.status;
    this.code = facts.code;
    this.hint = facts.hint;
    this.details = facts.details ?? {};
    this.requestId = facts.requestId;
  }
}

/** There was no response: the URL is wrong, the network is down, or the deadline passed. `cause` is the reason. */
export class ApiUnreachableError extends Error {
  override readonly name = "ApiUnreachableError";
  readonly url: string;

  constructor(url: string, cause: unknown) {
    super(`The API at ${url} does not answer: ${reasonOf(cause)}`, { cause });
    this.url = url;
  }
}

/** fetch wraps the actual error as `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
