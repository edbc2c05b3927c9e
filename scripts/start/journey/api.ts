import { FatalError } from "../../../services/shared/errors.ts";

/** The partner API as a partner calls it. */
export type Api = {
  url: string;
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  withKey(apiKey: string): Api;
};

export function createApi(url: string, apiKey?: string): Api {
  const call = async <Answer>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new FatalError(`${method} ${path} answered ${response.status}: ${text.slice(0, 500)}`, {
        code: "api_refused",
        details: { status: response.status },
      });
    }
    return JSON.parse(text) as Answer;
  };
  return {
    url,
    get: (path) => call("GET", path),
    post: (path, body, headers) => call("POST", path, body, headers),
    withKey: (key) => createApi(url, key),
  };
}
