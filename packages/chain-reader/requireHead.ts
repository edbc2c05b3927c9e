import { FatalError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import { rest } from "@ngpu/runtime/loop";
import type { Header } from "./header.ts";
import { type RpcClient, readHeader } from "./rpc.ts";

export type HeadOptions = {
  /** Seconds; an older head must advance. Default one hour: a chain's clock and this machine's may differ. */
  maxAge?: number;
  /** Milliseconds for a recent head, or one that advances. Default 30,000. */
  within?: number;
  /** Milliseconds between two requests. Default 1,000. */
  pause?: number;
};

const recentSeconds = 3_600;
/** @deadline An RPC endpoint to serve a recent or advancing head at the start. The program stops with the reason. */
const headDeadline = 30_000;
const retryPause = 1_000;

/**
 * Checks at startup that the endpoints serve the chain's head: archives, snapshots and indexes may serve old or finalized blocks alone.
 * A head that is old but advances belongs to an endpoint that is catching up.
 *
 * @throws FatalError `rpc_head_missing` or `rpc_head_stale`.
 */
export async function requireHead(client: RpcClient, options: HeadOptions = {}): Promise<Header> {
  const { maxAge = recentSeconds, within = headDeadline, pause = retryPause } = options;
  const end = performance.now() + within;
  let first: Header | undefined;
  for (;;) {
    let failure: RetryableError | undefined;
    try {
      const head = await readHeader(client, "latest");
      if (ageOf(head) <= maxAge || (first !== undefined && head.number > first.number)) return head;
      first ??= head;
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error;
      failure = error;
    }
    if (performance.now() + pause > end) throw first === undefined ? headMissing(failure) : headStale(first);
    await rest(pause, new AbortController().signal);
  }
}

function ageOf({ timestamp }: Header): number {
  return Math.round(Date.now() / 1_000) - Number(timestamp);
}

function headMissing(cause: RetryableError | undefined): FatalError {
  const why = cause === undefined ? "" : `: ${messageOf(cause.cause ?? cause).split("\n")[0]}`;
  return new FatalError(`No RPC endpoint serves the newest block of the chain${why}.`, {
    code: "rpc_head_missing",
    hint: "Add an endpoint to CHAIN_RPC_URLS that serves new blocks: an archive of old or finalized blocks alone is not enough.",
    cause,
  });
}

function headStale(head: Header): FatalError {
  const age = ageOf(head);
  return new FatalError(
    `The newest block that the RPC endpoints serve, ${head.number}, is ${Math.round(age / 60)} minutes old, and no newer one appears.`,
    {
      code: "rpc_head_stale",
      hint: "Add an endpoint to CHAIN_RPC_URLS that follows the chain. If it does, set this machine's clock.",
      details: { number: head.number, age },
    },
  );
}
