import type { PrivateKeyAccount } from "viem";
import { createSiweMessage } from "viem/siwe";

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

/** A client of the API that also returns status and headers. */
export function createClient(url: string, apiKey?: string): Client {
  const own = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const raw = (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { ...own, ...init.headers } });
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
    withKey: (key) => createClient(url, key),
    raw,
  };
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
