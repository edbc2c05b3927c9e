import type { PrivateKeyAccount } from "viem";
import { createSiweMessage } from "viem/siwe";
import type { Contract } from "./contract.ts";

export type Answer<Body> = { status: number; headers: Headers; body: Body };
// Responses are typed as the test expects them; a wrong expectation fails the next assertion.
type Loose = Record<string, unknown>;

export type Client = {
  get<Body = Loose>(path: string): Promise<Answer<Body>>;
  post<Body = Loose>(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<Body>>;
  delete<Body = Loose>(path: string): Promise<Answer<Body>>;
  withKey(apiKey: string): Client;
  raw(path: string, init?: RequestInit): Promise<Response>;
};

/**
 * A client of the API that also returns status and headers.
 *
 * @param contract Checks each answer: one that the server's OpenAPI document does not allow fails the call.
 */
export function createClient(url: string, contract?: Contract, apiKey?: string): Client {
  const own = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const raw = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${url}${path}`, { ...init, headers: { ...own, ...init.headers } });
    return contract === undefined
      ? response
      : checked(contract, { method: init.method ?? "GET", path }, response);
  };
  const call = async <Body>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => {
    const response = await raw(path, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
  };
  return {
    get: (path) => call("GET", path),
    post: (path, body, headers) => call("POST", path, body, headers),
    delete: (path) => call("DELETE", path),
    withKey: (key) => createClient(url, contract, key),
    raw,
  };
}

/** The response, when the OpenAPI document allows it. The body of a container is left unread. */
async function checked(
  contract: Contract,
  request: { method: string; path: string },
  response: Response,
): Promise<Response> {
  const { status, headers } = response;
  const isJson = /json/.test(headers.get("content-type") ?? "");
  const isPassed = headers.has("x-ngpu-node-id") && headers.has("x-ngpu-task-id");
  const isEmpty = status === 204 || status === 304 || request.method === "HEAD";
  const body = isEmpty
    ? ""
    : isJson && !isPassed && !/\/result$/.test(request.path)
      ? await response.text()
      : undefined;
  const errors = contract.errorsOf({ ...request, status, headers, body });
  if (errors.length > 0) {
    throw new Error(
      `The OpenAPI document does not allow the answer ${status} to ${request.method} ${request.path}: ${errors.join("; ")}`,
    );
  }
  return body === undefined || isEmpty ? response : new Response(body, { status, headers });
}

type Nonce = { nonce: string; domain: string; uri: string; chainId: number };

/** A signed sign-in message; `wrong` replaces correct values. */
export async function signedMessage(
  client: Client,
  account: PrivateKeyAccount,
  wrong: {
    domain?: string;
    chainId?: number;
    nonce?: string;
    expirationTime?: Date;
    signer?: PrivateKeyAccount;
  } = {},
) {
  const { body } = await client.post<Nonce>("/v1/auth/nonce", {});
  const message = createSiweMessage({
    address: account.address,
    chainId: wrong.chainId ?? body.chainId,
    domain: wrong.domain ?? body.domain,
    uri: body.uri,
    nonce: wrong.nonce ?? body.nonce,
    version: "1",
    ...(wrong.expirationTime === undefined ? {} : { expirationTime: wrong.expirationTime }),
  });
  return { message, signature: await (wrong.signer ?? account).signMessage({ message }) };
}

/** Signs in and returns a client with the new key. */
export async function signIn(
  client: Client,
  account: PrivateKeyAccount,
): Promise<Client & { apiKey: string }> {
  const answer = await client.post<{ apiKey: string }>("/v1/accounts", await signedMessage(client, account));
  if (answer.status !== 201) throw new Error(`Not signed in: ${JSON.stringify(answer.body)}`);
  return { ...client.withKey(answer.body.apiKey), apiKey: answer.body.apiKey };
}
