// Signs in with a wallet, deposits, authorizes the API, and prints what a shell needs to go on:
//   node partner-docs/examples/join.ts --api http://127.0.0.1:8080 --wallet partner.key --deposit 5
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Hex, parseEther, parseSignature } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { createSiweMessage } from "viem/siwe";
import { createApi } from "./api.ts";

const { values } = parseArgs({
  options: { api: { type: "string" }, wallet: { type: "string" }, deposit: { type: "string" } },
});
if (values.api === undefined || values.wallet === undefined) {
  process.stderr.write("Usage: join.ts --api <url> --wallet <file with a private key> [--deposit <NGPU>]\n");
  process.exit(1);
}
const account = privateKeyToAccount(readFileSync(values.wallet, "utf8").trim() as Hex);

// 1. Sign in: the message's nonce, domain and chain come from the API, the signature from the wallet.
const open = createApi(values.api);
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
const { apiKey } = await open<{ apiKey: string }>("POST", "/v1/accounts", {
  message,
  signature: await account.signMessage({ message }),
});
const api = createApi(values.api, apiKey);

type TypedData = {
  typedData: {
    domain: Record<string, unknown>;
    types: Record<string, { name: string; type: string }[]>;
    primaryType: string;
    message: Record<string, unknown>;
  };
};
const sign = ({ typedData: { types, ...rest } }: TypedData) => {
  // viem derives the domain's type by itself; other wallets take the typed data as it is.
  const { EIP712Domain: _derived, ...own } = types;
  return account.signTypedData({ ...rest, types: own } as Parameters<typeof account.signTypedData>[0]);
};

// 2. Deposit: a permit instead of a transaction, so the wallet needs no ETH.
if (values.deposit !== undefined) {
  const amount = parseEther(values.deposit).toString();
  const permit = await api<TypedData>("GET", `/v1/deposits/typed-data?amount=${amount}`);
  const { v, r, s } = parseSignature(await sign(permit));
  const deadline = String(permit.typedData.message.deadline);
  await api("POST", "/v1/deposits", { amount, deadline, v: Number(v), r, s });
}

// 3. Authorize: what the API may spend for this wallet, and until when.
const authorization = await api<TypedData>("GET", "/v1/authorizations/typed-data");
const { authorizationId } = await api<{ authorizationId: string }>("POST", "/v1/authorizations", {
  authorization: authorization.typedData.message,
  signature: await sign(authorization),
});

process.stdout.write(`export NGPU_KEY=${apiKey}\nexport NGPU_AUTHORIZATION=${authorizationId}\n`);
