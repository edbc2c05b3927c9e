/** What the API refused, in its own words. */
export class ApiError extends Error {
  readonly code: string;
  /** The contract's error, when it was a contract that refused. */
  readonly contractError: string | undefined;

  constructor(
    call: string,
    error: { code: string; message: string; hint?: string; details?: { error?: string } },
  ) {
    super(`${call}: ${error.message} ${error.hint ?? ""}`.trim());
    this.name = "ApiError";
    this.code = error.code;
    this.contractError = error.details?.error;
  }
}

type Refusal = { error?: ConstructorParameters<typeof ApiError>[1] };

/** Calls the API; throws with its own words when it refuses. */
export function createApi(url: string, apiKey?: string) {
  return async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch(() => {
      throw new Error(`The API at ${url} does not answer.`);
    });
    const answer = (await response.json().catch(() => ({}))) as Answer & Refusal;
    if (response.ok) return answer;
    throw new ApiError(
      `${method} ${path}`,
      answer.error ?? { code: "api_refused", message: `The API answered HTTP ${response.status}.` },
    );
  };
}

/** Runs an example; what goes wrong is one sentence on stderr. */
export async function runExample(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
