import {
  type ExplanationRequest,
  type PlacementExplanation,
  placementExplanation,
} from "@ngpu/protocol/placement/request";
import { RetryableError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";

export type MatchClient = {
  /**
   * Asks where a workspace could be placed now.
   *
   * @throws RetryableError `match_unreachable` when no instance answers.
   */
  explain(question: ExplanationRequest): Promise<PlacementExplanation>;
};

/** @deadline match to explain a placement. The call fails with `match_unreachable`. */
const deadlineMs = 5_000;

/** Creates a client of match. It calls the session URLs over HTTP, one after the other, until one answers. */
export function createMatchClient(urls: readonly string[]): MatchClient {
  return {
    explain: async (question) => {
      let cause: unknown;
      for (const url of urls) {
        try {
          return await ask(url, question);
        } catch (error) {
          cause = error;
        }
      }
      throw new RetryableError("match does not answer.", {
        code: "match_unreachable",
        hint: "Try again in a few seconds.",
        cause,
      });
    },
  };
}

async function ask(url: string, question: ExplanationRequest): Promise<PlacementExplanation> {
  const address = new URL("/v1/explain", url.replace(/^ws/, "http"));
  const response = await fetch(address, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: toJson(question),
    signal: AbortSignal.timeout(deadlineMs),
  });
  if (!response.ok) throw new Error(`${address} answered ${response.status}: ${await response.text()}`);
  return placementExplanation.parse(await response.json());
}
