// Signs in with a wallet, deposits, authorizes the API, and prints the key as a shell variable:
//   npx node partner-docs/examples/join.ts --api http://127.0.0.1:8080 --wallet partner.key --deposit 5
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type ApiClient, createApiClient } from "@ngpu/api-client/client";
import { ApiError } from "@ngpu/api-client/errors";
import { type Hex, parseEther, parseSignature } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { createSiweMessage } from "viem/siwe";
import { runExample } from "./runExample.ts";

type TypedData = {
  typedData: {
    domain: Record<string, unknown>;
    types: Record<string, { name: string; type: string }[]>;
    primaryType: string;
    message: Record<string, unknown>;
  };
};

/** 1. Sign in: the API supplies nonce, domain and chain of the message; the wallet signs it. */
async function signIn(api: ApiClient, account: PrivateKeyAccount): Promise<string> {
  const values = await api.post<{ nonce: string; domain: string; uri: string; chainId: number }>(
    "/v1/auth/nonce",
    {},
  );
  const message = createSiweMessage({
    address: account.address,
    chainId: values.chainId,
    domain: values.domain,
    uri: values.uri,
    nonce: values.nonce,
    version: "1",
  });
  const signature = await account.signMessage({ message });
  return (await api.post<{ apiKey: string }>("/v1/accounts", { message, signature })).apiKey;
}

function sign(account: PrivateKeyAccount, { typedData: { types, ...rest } }: TypedData): Promise<Hex> {
  // viem derives the type of the domain itself; other wallets take the typed data unchanged.
  const { EIP712Domain: _derived, ...own } = types;
  return account.signTypedData({ ...rest, types: own } as Parameters<typeof account.signTypedData>[0]);
}

/** 2. Deposit: a permit instead of a transaction, so the wallet needs no ETH. */
async function deposit(api: ApiClient, account: PrivateKeyAccount, tokens: string): Promise<void> {
  const amount = parseEther(tokens).toString();
  const permit = await api.get<TypedData>(`/v1/deposits/typed-data?amount=${amount}`);
  const { v, r, s } = parseSignature(await sign(account, permit));
  const deadline = String(permit.typedData.message.deadline);
  await api.post("/v1/deposits", { amount, deadline, v: Number(v), r, s });
}

/** Deposits; a wallet with too few tokens first requests test tokens, if the market has a faucet. */
async function depositWithFaucet(api: ApiClient, account: PrivateKeyAccount, tokens: string): Promise<void> {
  try {
    await deposit(api, account, tokens);
  } catch (error) {
    if (!(error instanceof ApiError) || error.details.error !== "ERC20InsufficientBalance") throw error;
    await api.post("/v1/faucet", { wallet: account.address }).catch(() => {
      throw new Error(`${account.address} has less than ${tokens} NGPU and got none from a faucet.`);
    });
    await deposit(api, account, tokens);
  }
}

/** 3. Authorize: how much the API may spend for this wallet, and until when. */
async function authorize(api: ApiClient, account: PrivateKeyAccount): Promise<void> {
  const { typedData } = await api.get<TypedData>("/v1/authorizations/typed-data");
  const signature = await sign(account, { typedData });
  const body = { authorization: typedData.message, signature };
  await api.post("/v1/authorizations", body);
}

await runExample(async () => {
  const { values } = parseArgs({
    options: { api: { type: "string" }, wallet: { type: "string" }, deposit: { type: "string" } },
  });
  if (values.api === undefined || values.wallet === undefined) {
    throw new Error("Usage: join.ts --api <url> --wallet <file with a private key> [--deposit <NGPU>]");
  }
  const account = privateKeyToAccount(readFileSync(values.wallet, "utf8").trim() as Hex);
  const publicApi = createApiClient({ url: values.api });
  const apiKey = await signIn(publicApi, account);
  const api = publicApi.withKey(apiKey);
  if (values.deposit !== undefined) await depositWithFaucet(api, account, values.deposit);
  await authorize(api, account);
  process.stdout.write(`export NGPU_API_KEY=${apiKey}\n`);
});
