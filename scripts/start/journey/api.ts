import { type ApiClient, createApiClient } from "@ngpu/api-client/client";
import { ApiError, ApiUnreachableError } from "@ngpu/api-client/errors";
import { FatalError } from "@ngpu/runtime/errors";
import { atPace } from "../../embedded/pace.ts";

/** The partner API as the journey calls it: errors are FatalErrors. */
export type Api = Pick<ApiClient, "url" | "get" | "post" | "delete"> & { withKey(apiKey: string): Api };

/** Deadline of one call in milliseconds: a write waits for its transaction. */
const deadlineMs = 180_000;

/**
 * Creates a client of the partner API. Every method throws FatalError `api_request_failed`, with the HTTP status in `details.status`, or
 * `api_unreachable`.
 *
 * @param signal Aborts all calls.
 */
export function createApi(url: string, signal: AbortSignal, apiKey?: string): Api {
  const call = async <Answer>(
    name: string,
    send: (client: ApiClient) => Promise<Answer>,
  ): Promise<Answer> => {
    const timeoutMs = Math.round(atPace(deadlineMs));
    try {
      return await send(createApiClient({ url, signal, apiKey, timeoutMs }));
    } catch (error) {
      throw translated(name, error);
    }
  };
  return {
    url,
    get: (path) => call(`GET ${path}`, (client) => client.get(path)),
    post: (path, body, headers) => call(`POST ${path}`, (client) => client.post(path, body, headers)),
    delete: (path) => call(`DELETE ${path}`, (client) => client.delete(path)),
    withKey: (key) => createApi(url, signal, key),
  };
}

function translated(name: string, error: unknown): unknown {
  if (error instanceof ApiUnreachableError) {
    return new FatalError(`${name} got no response. ${error.message}`, {
      code: "api_unreachable",
      hint: "See the log of apiServer in .ngpu/logs.",
      cause: error,
    });
  }
  if (!(error instanceof ApiError)) return error;
  const { status, code, message, hint } = error;
  return new FatalError(`${name} answered ${status} ${code}: ${message}`, {
    code: "api_request_failed",
    hint: hint ?? "See the log of apiServer in .ngpu/logs.",
    details: { status },
    cause: error,
  });
}
