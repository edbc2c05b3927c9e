import { FatalError, messageOf } from "@ngpu/runtime/errors";
import { atPace } from "../../embedded/pace.ts";

/** The partner API as a partner calls it. */
export type Api = {
  url: string;
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  delete<Answer>(path: string): Promise<Answer>;
  withKey(apiKey: string): Api;
};

/** Timeout of a write, which waits for the chain, on the reference machine. */
const deadlineMs = 180_000;

/** @param signal Aborts every call. */
export function createApi(url: string, signal: AbortSignal, apiKey?: string): Api {
  const call = async <Answer>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => {
    const { status, text } = await exchange(`${url}${path}`, {
      method,
      signal: AbortSignal.any([signal, AbortSignal.timeout(Math.round(atPace(deadlineMs)))]),
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (status < 200 || status > 299) {
      throw new FatalError(`${method} ${path} answered ${status}: ${text.slice(0, 500)}`, {
        code: "api_refused",
        details: { status },
      });
    }
    return JSON.parse(text) as Answer;
  };
  return {
    url,
    get: (path) => call("GET", path),
    post: (path, body, headers) => call("POST", path, body, headers),
    delete: (path) => call("DELETE", path),
    withKey: (key) => createApi(url, signal, key),
  };
}

async function exchange(url: string, request: RequestInit): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, request);
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new FatalError(`${request.method} ${url} got no answer: ${messageOf(cause)}`, {
      code: "api_unreachable",
      cause: error,
    });
  }
}
