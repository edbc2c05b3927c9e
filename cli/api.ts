import { createApiClient } from "@ngpu/api-client/client";
import { ApiError, ApiUnreachableError } from "@ngpu/api-client/errors";
import { FatalError, InputError } from "@ngpu/runtime/errors";

export type ApiOptions = { api: string; key?: string };

/** @deadline The API, of a command. The command fails. */
const timeoutMs = 60_000;

/**
 * Calls the partner API.
 *
 * @param body JSON body of a POST; undefined: a GET.
 * @returns The parsed JSON response.
 * @throws FatalError `api_unreachable`; InputError with the code of the API's error.
 */
export async function callApi({ api, key }: ApiOptions, path: string, body?: unknown): Promise<unknown> {
  const client = createApiClient({ url: api, apiKey: key, timeoutMs });
  try {
    return await (body === undefined ? client.get(path) : client.post(path, body));
  } catch (error) {
    throw translated(error);
  }
}

function translated(error: unknown): unknown {
  if (error instanceof ApiUnreachableError) {
    return new FatalError(error.message, {
      code: "api_unreachable",
      hint: "Set its URL with --api or NGPU_API.",
      cause: error,
    });
  }
  if (!(error instanceof ApiError)) return error;
  return new InputError(error.message, {
    code: error.code,
    hint: error.hint ?? "See the API's documentation at /docs.",
  });
}
