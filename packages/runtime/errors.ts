/** Fields of every ngpu error besides its message. */
export type ErrorOptions = {
  /** Stable identifier for programs, snake_case. */
  code: string;
  /** How to resolve the error, one imperative sentence. */
  hint: string;
  /** The offending values. Never a secret. */
  details?: Record<string, unknown>;
  cause?: unknown;
};

/** Base class of all errors. The class determines whether a retry can succeed; code never matches message text. */
export abstract class NgpuError extends Error {
  abstract readonly retryable: boolean;
  readonly code: string;
  readonly hint: string;
  readonly details: Record<string, unknown>;

  constructor(message: string, options: ErrorOptions) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** A transient failure of an external system: an RPC that times out, a database that restarts. */
export class RetryableError extends NgpuError {
  readonly retryable = true;
}

/** A retry fails the same way until an operator or a caller changes something. */
export class FatalError extends NgpuError {
  readonly retryable = false;
}

/** Invalid input; `status` is the HTTP status of the API's response. */
export class InputError extends FatalError {
  readonly status: number;

  constructor(message: string, options: ErrorOptions & { status?: number }) {
    super(message, options);
    this.status = options.status ?? 400;
  }
}

/** The message of any thrown value, for logs and one-line output. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a retry may succeed. */
export function isRetryable(error: unknown): boolean {
  return error instanceof NgpuError && error.retryable;
}
