import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { permitTypes } from "@ngpu/contracts-sdk/typedData";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { depositAnswer, newDeposit, permitQuery, typedDataAnswer } from "../schemas/accounts.ts";
import { currentTime } from "../store/escrow.ts";
import { typedData } from "../typedData.ts";

export function depositRoutes(deps: ApiDeps): Endpoint[] {
  return [permitTypedData(deps), deposit(deps)];
}

const permitTypedData = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/deposits/typed-data",
      tag: "Payments",
      summary: "Get the exact permit to sign for a deposit",
      description: "EIP-712 typed data of the token's ERC-2612 permit for the escrow.",
      access: "partner",
      query: permitQuery,
      answer: typedDataAnswer,
    },
    async ({ partner, query }) => {
      const { chainId, contracts } = deps.deployment;
      const nonce = await deps.chain.readContract({
        address: contracts.Token,
        abi: tokenAbi,
        functionName: "nonces",
        args: [partner.wallet],
      });
      const domain = { name: "ngpu", version: "1", chainId, verifyingContract: contracts.Token };
      return {
        typedData: typedData(domain, permitTypes, "Permit", {
          owner: partner.wallet,
          spender: contracts.Escrow,
          value: String(query.amount),
          nonce: String(nonce),
          deadline: String(query.deadline ?? (await currentTime(deps.db)) + 3_600),
        }),
      };
    },
  );

const deposit = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/deposits",
      writes: true,
      tag: "Payments",
      summary: "Deposit tokens with a signed permit",
      description:
        "Relayed to Escrow.depositWithPermit; the tokens are transferred from your wallet, this API pays the gas.",
      access: "partner",
      body: newDeposit,
      status: 201,
      answer: depositAnswer,
    },
    async ({ partner, body }) => {
      const { hash } = await deps.writer.write({
        kind: "api.deposit",
        contract: "Escrow",
        functionName: "depositWithPermit",
        args: [partner.wallet, body.amount, body.deadline, body.v, body.r, body.s],
        dedupeKey: `deposit:${partner.wallet}:${body.r}${body.s.slice(2)}`,
      });
      return { amount: String(body.amount), txHash: hash, tier: "unsafe" as const };
    },
  );
