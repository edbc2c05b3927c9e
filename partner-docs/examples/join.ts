// Signs in with a wallet, deposits, authorizes the API, and prints what a shell needs to go on:
//   npx node partner-docs/examples/join.ts --api http://127.0.0.1:8080 --wallet partner.key --deposit 5
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Hex, parseEther, parseSignature } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { createSiweMessage } from "viem/siwe";
import { ApiError, createApi, runExample } from "./api.ts";

type Api = ReturnType<typeof createApi>;
type TypedData = {
  typedData: {
    domain: Record<string, unknown>;
    types: Record<string, { name: string; type: string }[]>;
    primaryType: string;
    message: Record<string, unknown>;
  };
};

/** 1. Sign in: the message's nonce, domain and chain come from the API, the signature from the wallet. */
async function signIn(open: Api, account: PrivateKeyAccount): Promise<string> {
  const begun = await open<{ nonce: string; domain: string; uri: string; chainId: number }>(
    "POST",
    "/v1/auth/nonce",
    {},
  );
  const message = createSiweMessage({
    address: account.address,
    chainId: begun.chainId,
    domain: begun.domain,
    uri: begun.uri,
    nonce: begun.nonce,
    version: "1",
  });
  const signature = await account.signMessage({ message });
  return (await open<{ apiKey: string }>("POST", "/v1/accounts", { message, signature })).apiKey;
}

function sign(account: PrivateKeyAccount, { typedData: { types, ...rest } }: TypedData): Promise<Hex> {
  // viem derives the domain's type by itself; other wallets take the typed data as it is.
  const { EIP712Domain: _derived, ...own } = types;
  return account.signTypedData({ ...rest, types: own } as Parameters<typeof account.signTypedData>[0]);
}

/** 2. Deposit: a permit instead of a transaction, so the wallet needs no ETH. */
async function deposit(api: Api, account: PrivateKeyAccount, tokens: string): Promise<void> {
  const amount = parseEther(tokens).toString();
  const permit = await api<TypedData>("GET", `/v1/deposits/typed-data?amount=${amount}`);
  const { v, r, s } = parseSignature(await sign(account, permit));
  const deadline = String(permit.typedData.message.deadline);
  await api("POST", "/v1/deposits", { amount, deadline, v: Number(v), r, s });
}

/** A wallet that has too little gets test tokens, where the market has a faucet. */
async function depositOrAsk(api: Api, account: PrivateKeyAccount, tokens: string): Promise<void> {
  try {
    await deposit(api, account, tokens);
  } catch (error) {
    if (!(error instanceof ApiError) || error.contractError !== "ERC20InsufficientBalance") throw error;
    await api("POST", "/v1/faucet", { wallet: account.address }).catch(() => {
      throw new Error(`${account.address} has less than ${tokens} NGPU, and this market gives none away.`);
    });
    await deposit(api, account, tokens);
  }
}

/** 3. Authorize: what the API may spend for this wallet, and until when. */
async function authorize(api: Api, account: PrivateKeyAccount): Promise<string> {
  const { typedData } = await api<TypedData>("GET", "/v1/authorizations/typed-data");
  const signature = await sign(account, { typedData });
  const body = { authorization: typedData.message, signature };
  return (await api<{ authorizationId: string }>("POST", "/v1/authorizations", body)).authorizationId;
}

await runExample(async () => {
  const { values } = parseArgs({
    options: { api: { type: "string" }, wallet: { type: "string" }, deposit: { type: "string" } },
  });
  if (values.api === undefined || values.wallet === undefined) {
    throw new Error("Usage: join.ts --api <url> --wallet <file with a private key> [--deposit <NGPU>]");
  }
  const account = privateKeyToAccount(readFileSync(values.wallet, "utf8").trim() as Hex);
  const apiKey = await signIn(createApi(values.api), account);
  const api = createApi(values.api, apiKey);
  if (values.deposit !== undefined) await depositOrAsk(api, account, values.deposit);
  const authorizationId = await authorize(api, account);
  process.stdout.write(`export NGPU_KEY=${apiKey}\nexport NGPU_AUTHORIZATION=${authorizationId}\n`);
});
