import { randomBytes } from "node:crypto";
import { createChainClient } from "@ngpu/chain-reader/client";
import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { authorizationTypes, domainOf, permitTypes } from "@ngpu/contracts-sdk/typedData";
import { parseEther, parseSignature } from "viem";
import { createSiweMessage } from "viem/siwe";
import type { Market } from "../market.ts";
import type { Progress } from "../reporter.ts";
import { giveTokens } from "../tokens.ts";
import type { Api } from "./api.ts";
import { untilDone } from "./step.ts";

const deposit = parseEther("1000");

export type Partner = { api: Api; apiKey: string; authorizationId: string };

/** A partner signs in with its wallet, deposits with a permit, and authorizes the API to spend. */
export function joinPartner(market: Market, api: Api): (progress: Progress) => Promise<Partner> {
  const enter = untilDone(() => signIn(market, api));
  const pay = untilDone((own: Api) => depositByPermit(market, own));
  const authorize = untilDone((own: Api) => authorizeApi(market, own));
  return async (progress) => {
    progress("signing in");
    const { apiKey } = await enter();
    const own = api.withKey(apiKey);
    progress("depositing");
    await pay(own);
    progress("authorizing");
    return { api: own, apiKey, authorizationId: await authorize(own) };
  };
}

async function signIn(market: Market, api: Api): Promise<{ apiKey: string }> {
  const account = market.keys.partner.account;
  const { nonce } = await api.post<{ nonce: string }>("/v1/auth/nonce", {});
  const message = createSiweMessage({
    address: account.address,
    chainId: market.deployment.chainId,
    domain: new URL(api.url).host,
    uri: api.url,
    nonce,
    version: "1",
    statement: "Sign in to ngpu.",
  });
  const signature = await account.signMessage({ message });
  return api.post<{ apiKey: string }>("/v1/accounts", { message, signature });
}

async function depositByPermit(market: Market, api: Api): Promise<void> {
  await giveTokens(market, "partner", deposit);
  const account = market.keys.partner.account;
  const { chainId, contracts } = market.deployment;
  const client = createChainClient(market.chain);
  const nonce = await client.readContract({
    address: contracts.Token,
    abi: tokenAbi,
    functionName: "nonces",
    args: [account.address],
  });
  const deadline = BigInt(Math.floor(Date.now() / 1000) + 3_600);
  const signature = await account.signTypedData({
    domain: { name: "ngpu", version: "1", chainId, verifyingContract: contracts.Token },
    types: permitTypes,
    primaryType: "Permit",
    message: { owner: account.address, spender: contracts.Escrow, value: deposit, nonce, deadline },
  });
  const { v, r, s } = parseSignature(signature);
  await api.post("/v1/deposits", {
    amount: deposit.toString(),
    deadline: deadline.toString(),
    v: Number(v),
    r,
    s,
  });
}

async function authorizeApi(market: Market, api: Api): Promise<string> {
  const account = market.keys.partner.account;
  const authorization = {
    owner: account.address,
    delegate: market.keys.api.account.address,
    maxRate: parseEther("0.001"),
    daily: parseEther("86.4"),
    total: parseEther("500"),
    scope: `0x${"0".repeat(64)}` as const,
    expiry: Math.floor(Date.now() / 1000) + 30 * 86_400,
    nonce: BigInt(`0x${randomBytes(16).toString("hex")}`),
  };
  const signature = await account.signTypedData({
    domain: domainOf(market.deployment, "Escrow"),
    types: authorizationTypes,
    primaryType: "Authorization",
    message: authorization,
  });
  const answer = await api.post<{ authorizationId: string }>("/v1/authorizations", {
    authorization: {
      ...authorization,
      maxRate: authorization.maxRate.toString(),
      daily: authorization.daily.toString(),
      total: authorization.total.toString(),
      nonce: authorization.nonce.toString(),
    },
    signature,
  });
  return answer.authorizationId;
}
