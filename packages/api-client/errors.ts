/** The API answered with an error. `code` is stable; the reference lists every one. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status of the answer. */
  readonly status: number;
  readonly code: string;
  /** What to do about it, where the API says so. */
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  /** Names the request in the logs of the market. */
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

/** No answer came: the address is wrong, the network is down, or the deadline passed. `cause` says which. */
export class ApiUnreachableError extends Error {
  override readonly name = "ApiUnreachableError";
  readonly url: string;

  constructor(url: string, cause: unknown) {
    super(`The API at ${url} does not answer: ${reasonOf(cause)}`, { cause });
    this.url = url;
  }
}

/** fetch wraps what went wrong. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
