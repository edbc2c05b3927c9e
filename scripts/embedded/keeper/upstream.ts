import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
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

/** Few connections that stay open: opening one costs more than most calls. */
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

/** @throws RetryableError `chain_restarting` when there is no complete answer. */
export async function post(url: string, body: string): Promise<string> {
  try {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = request(url, { agent, method: "POST", headers });
    // Reported by `once`, or by the response when it has begun.
    sent.on("error", () => undefined);
    sent.end(body);
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    return await text(response);
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
