import type { ApiClient } from "@ngpu/api-client/client";
import { type Hex, parseSignature } from "viem";
import { accountOf, type Wallet } from "./providers.ts";

/** Amounts in token units (1e-18). */
export type Funding = {
  deposit: bigint;
  /** The most that all leases together may cost in a second. */
  maxRate: bigint;
  /** The most that the authorization may spend. */
  total: bigint;
};

export type FundingStep = "permit" | "deposit" | "sign" | "authorize";

type TypedData = { message: Record<string, unknown> };

/** Deposits tokens and authorizes the API to spend them. The wallet signs twice; the API pays the gas. */
export async function fund(
  api: ApiClient,
  wallet: Wallet,
  { deposit, maxRate, total }: Funding,
  onStep: (step: FundingStep) => void,
): Promise<void> {
  const account = await accountOf(wallet);
  const sign = async (typedData: TypedData) =>
    (await wallet.provider.request({
      method: "eth_signTypedData_v4",
      params: [account, JSON.stringify(typedData)],
    })) as Hex;
  if (deposit > 0n) {
    onStep("permit");
    const query = { amount: String(deposit) };
    const { typedData } = await api.call("GET /v1/deposits/typed-data", { query });
    const { r, s, yParity } = parseSignature(await sign(typedData));
    onStep("deposit");
    await api.call("POST /v1/deposits", {
      body: { amount: query.amount, deadline: String(typedData.message.deadline), v: yParity + 27, r, s },
    });
  }
  onStep("sign");
  const { typedData } = await api.call("GET /v1/authorizations/typed-data", {
    query: { maxRate: String(maxRate), total: String(total) },
  });
  const signature = await sign(typedData);
  onStep("authorize");
  await api.call("POST /v1/authorizations", {
    body: { authorization: typedData.message as never, signature },
  });
}
