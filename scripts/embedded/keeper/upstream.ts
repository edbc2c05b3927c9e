import { RetryableError } from "@ngpu/runtime/errors";

/** How long a call waits for a chain that restarts. */
const HOLD_MS = 60_000;

/** The chain behind the keeper: there, or about to be there again. */
export class Upstream {
  #url: string | undefined;
  #there = Promise.withResolvers<string>();

  get isThere(): boolean {
    return this.#url !== undefined;
  }

  open(url: string): void {
    this.#url = url;
    this.#there.resolve(url);
  }

  close(): void {
    if (this.#url === undefined) return;
    this.#url = undefined;
    this.#there = Promise.withResolvers<string>();
  }

  /**
   * Passes a request on as it is, and gives the answer as it is.
   *
   * @throws RetryableError `chain_restarts` when there is no chain, or it ends before it answers.
   */
  async forward(body: string): Promise<string> {
    return post(await this.url(), body);
  }

  /** @throws RetryableError `chain_restarts` when there is no chain for a while. */
  async url(): Promise<string> {
    if (this.#url !== undefined) return this.#url;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(restarts()), HOLD_MS);
    try {
      return await Promise.race([this.#there.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

export async function post(url: string, body: string): Promise<string> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    return await response.text();
  } catch (cause) {
    throw restarts(cause);
  }
}

function restarts(cause?: unknown): RetryableError {
  return new RetryableError("The chain restarts.", {
    code: "chain_restarts",
    hint: "Try again in a few seconds.",
    cause,
  });
}
