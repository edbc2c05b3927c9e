/** What every error of ngpu says beside its message. */
export type ErrorOptions = {
  /** Stable, snake_case, for programs. */
  code: string;
  /** What the reader can do about it, one sentence. */
  hint?: string;
  /** The offending values. Never a secret. */
  details?: Record<string, unknown>;
  cause?: unknown;
};

/** The one error family: whether to try again is told by the class, never by the message's text. */
export abstract class NgpuError extends Error {
  abstract readonly retryable: boolean;
  readonly code: string;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(message: string, options: ErrorOptions) {
    super(message, { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** A passing fault of something outside: an RPC that times out, a database that restarts. */
export class RetryableError extends NgpuError {
  readonly retryable = true;
}

/** Trying again changes nothing until somebody acts. */
export class FatalError extends NgpuError {
  readonly retryable = false;
}

/** Input that an edge refuses; `status` is the HTTP status an API answers with. */
export class InputError extends FatalError {
  readonly status: number;

  constructor(message: string, options: ErrorOptions & { status?: number }) {
    super(message, options);
    this.status = options.status ?? 400;
  }
}

/** The message of anything thrown, for logs and one-line output. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** True when the error, or what caused it, says that a further try may succeed. */
export function isRetryable(error: unknown): boolean {
  return error instanceof NgpuError && error.retryable;
}
