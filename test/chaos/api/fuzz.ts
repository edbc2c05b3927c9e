import fc from "fast-check";
import type { Contract } from "../../services/apiServer/contract.ts";
import { exchange, type RawRequest, rawErrorsOf, rawRequests } from "./rawRequests.ts";
import { type Facts, type FuzzRequest, requests } from "./requests.ts";
import { type Answer, codeIn, createSend, curlOf, errorsOf, type Send } from "./send.ts";

/** Requests that are sent at the same time. */
const lanes = 16;
/** One of this many requests is raw bytes. */
const rawShare = 20;

export type FuzzOptions = {
  url: string;
  contract: Contract;
  facts: Facts;
  requests: number;
  seed: number;
  signal: AbortSignal;
  progress: (done: number) => void;
};

export type FuzzResult = {
  /** Requests sent, those of shrinking too. */
  sent: number;
  /** Answers by status. */
  statuses: Record<string, number>;
  /** Each with its seed, and the smallest request that shows it. */
  failures: string[];
};

/** A busy machine may leave the trial's match and node too little time for an answer: it is asked for again. */
const repeats = 3;
const starved = ["match_unreachable", "node_timeout"];
const mayBeStarved = ({ status, body }: Answer) => status >= 500 && starved.includes(codeIn(body));

type Given = { request: FuzzRequest } | { raw: RawRequest };

/** Sends mutated requests to every operation. Each lane is a property of its own, so that a failure is shrunk. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { send, close } = createSend(options.url);
  const result: FuzzResult = { sent: 0, statuses: {}, failures: [] };
  const given = fc.oneof(
    {
      weight: rawShare - 1,
      arbitrary: requests(options.contract.document, options.facts).map((request) => ({ request })),
    },
    { weight: 1, arbitrary: rawRequests.map((raw) => ({ raw })) },
  );
  const lane = async (index: number) => {
    const seed = options.seed + index;
    const numRuns = Math.ceil((options.requests - index) / lanes);
    const property = fc.asyncProperty(given, async (one: Given) => {
      options.signal.throwIfAborted();
      const errors = await tryOut(options, send, one, result);
      if (errors.length > 0) throw new Error(errors.join("; "));
    });
    const details = await fc.check(property, { seed, numRuns, endOnFailure: false });
    if (details.failed) result.failures.push(describe(options.url, seed, details));
  };
  try {
    await Promise.all(Array.from({ length: lanes }, (_one, index) => lane(index)));
    options.signal.throwIfAborted();
  } finally {
    close();
  }
  return result;
}

async function tryOut(
  { url, contract, progress }: FuzzOptions,
  send: Send,
  given: Given,
  result: FuzzResult,
): Promise<string[]> {
  result.sent += 1;
  progress(result.sent);
  if ("raw" in given) {
    const answers = await exchange(url, given.raw.text);
    count(result, "raw");
    return rawErrorsOf(answers);
  }
  let answer: Answer = await send(given.request);
  for (let times = 0; times < repeats && mayBeStarved(answer); times += 1) answer = await send(given.request);
  count(result, String(answer.status));
  return errorsOf(contract, given.request, answer);
}

function count({ statuses }: FuzzResult, status: string): void {
  statuses[status] = (statuses[status] ?? 0) + 1;
}

function describe(url: string, seed: number, details: fc.RunDetails<[Given]>): string {
  const [given] = details.counterexample ?? [];
  const error = details.errorInstance instanceof Error ? details.errorInstance.message : "";
  if (given === undefined) return `seed ${seed}: ${error}`;
  const repeat =
    "raw" in given
      ? `printf ${JSON.stringify(given.raw.text)} | nc ${new URL(url).host.replace(":", " ")}`
      : curlOf(url, given.request);
  return `seed ${seed}, path ${details.counterexamplePath}: ${error}\n  ${repeat}`;
}
