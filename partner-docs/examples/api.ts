/** Calls the API; throws with its own words when it refuses. */
export function createApi(url: string, apiKey?: string) {
  return async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Answer & { error?: { message: string; hint?: string } };
    if (response.ok) return answer;
    throw new Error(`${method} ${path}: ${answer.error?.message} ${answer.error?.hint ?? ""}`);
  };
}
