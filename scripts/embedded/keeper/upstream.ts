import { RetryableError } from "@ngpu/runtime/errors";

/** Time that a call waits for a restarting chain, in ms. */
const HOLD_MS = 60_000;

/** The chain behind the keeper, attached or about to be attached again. */
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
   * Forwards a request unchanged, and returns the response unchanged.
   *
   * @throws RetryableError `chain_restarting` when no chain is attached, or it ends before it responds.
   */
  async forward(body: string): Promise<string> {
    return post(await this.url(), body);
  }

  /** @throws RetryableError `chain_restarting` when no chain is attached in time. */
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
  return new RetryableError("The chain is restarting.", {
    code: "chain_restarting",
    hint: "Try again in a few seconds.",
    cause,
  });
}
