import { FatalError, InputError } from "@ngpu/runtime/errors";

export type ApiOptions = { api: string; key?: string };

/**
 * Asks the partner API.
 *
 * @param body What is sent, as JSON; a GET without it.
 * @returns what it answered, as JSON
 * @throws FatalError `api_unreachable`, or InputError with the API's own code when it refused
 */
export async function askApi({ api, key }: ApiOptions, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${api.replace(/\/+$/, "")}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(60_000),
  }).catch((cause: unknown) => {
    throw new FatalError(`The API at ${api} does not answer.`, {
      code: "api_unreachable",
      hint: "Give its URL with --api, or as NGPU_API.",
      cause,
    });
  });
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok && answer !== undefined) return answer;
  const { error } = (answer ?? {}) as { error?: { code: string; message: string; hint?: string } };
  throw new InputError(error?.message ?? `The API at ${api} answered HTTP ${response.status} and no JSON.`, {
    code: error?.code ?? "api_refused",
    ...(error?.hint === undefined ? {} : { hint: error.hint }),
  });
}
