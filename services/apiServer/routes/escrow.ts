import { randomBytes } from "node:crypto";
import { tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { authorizationTypes, domainOf, permitTypes } from "@ngpu/contracts-sdk/typedData";
import { InputError } from "@ngpu/runtime/errors";
import {
  type Hex,
  hashTypedData,
  isAddressEqual,
  recoverTypedDataAddress,
  type TypedDataParameter,
} from "viem";
import type { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import {
  authorizationAnswer,
  depositAnswer,
  newAuthorization,
  newDeposit,
  permitQuery,
  typedDataAnswer,
  typedDataQuery,
} from "../schemas/accounts.ts";
import { currentTime } from "../store/escrow.ts";

type Authorization = z.output<typeof newAuthorization>["authorization"];

const day = 86_400;
const units = 10n ** 18n;

export function escrowRoutes(deps: ApiDeps): Endpoint[] {
  return [authorizationTypedData(deps), authorize(deps), permitTypedData(deps), deposit(deps)];
}

const authorizationTypedData = (deps: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/authorizations/typed-data",
      tag: "Payments",
      summary: "Get the exact authorization to sign",
      description:
        "EIP-712 typed data of Escrow.Authorization, with this API as the delegate and an unused nonce.",
      access: "partner",
      query: typedDataQuery,
      answer: typedDataAnswer,
    },
    async ({ partner, query }) => ({
      typedData: typedData(domainOf(deps.deployment, "Escrow"), authorizationTypes, "Authorization", {
        owner: partner.wallet,
        delegate: deps.delegate,
        maxRate: String(query.maxRate ?? units / 1000n),
        total: String(query.total ?? 500n * units),
        scope: query.scope ?? `0x${"0".repeat(64)}`,
        expiry: query.expiry ?? (await currentTime(deps.db)) + 30 * day,
        nonce: BigInt(`0x${randomBytes(16).toString("hex")}`).toString(),
      }),
    }),
  );

const authorize = (deps: ApiDeps) =>
  endpoint(
    {
      method: "post",
      path: "/v1/authorizations",
      writes: true,
      tag: "Payments",
      summary: "Submit a signed authorization",
      description: "Relayed to Escrow.authorize; this API pays the gas. A repeated submission has no effect.",
      access: "partner",
      body: newAuthorization,
      status: 201,
      errors: [403],
      answer: authorizationAnswer,
    },
    async ({ partner, body: { authorization, signature } }) => {
      requireOwn(partner.wallet, authorization.owner);
      if (!isAddressEqual(authorization.delegate, deps.delegate)) {
        throw new InputError("The authorization is for another delegate.", {
          code: "delegate_mismatch",
          hint: "Sign the typed data of GET /v1/authorizations/typed-data.",
          details: { delegate: deps.delegate },
        });
      }
      const data = authorizationData(deps, authorization);
      await requireOwnerSignature(deps, data, signature);
      const { hash, events } = await deps.writer.write({
        kind: "api.authorize",
        contract: "Escrow",
        functionName: "authorize",
        args: [authorization, signature],
        dedupeKey: `authorize:${hashTypedData(data)}`,
      });
      const event = events.find((one) => one.eventName === "Authorized");
      if (event === undefined) throw new Error(`The transaction ${hash} authorized nothing.`);
      return { authorizationId: String(event.args.authorizationId), txHash: hash, tier: "unsafe" as const };
    },
  );

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

function authorizationData(deps: ApiDeps, message: Authorization) {
  const domain = domainOf(deps.deployment, "Escrow");
  return { domain, types: authorizationTypes, primaryType: "Authorization", message } as const;
}

/** Refuses a signature that is not the owner's. The chain verifies the signature of a contract wallet. */
async function requireOwnerSignature(
  deps: ApiDeps,
  data: ReturnType<typeof authorizationData>,
  signature: Hex,
): Promise<void> {
  const { owner } = data.message;
  const signer = await recoverTypedDataAddress({ ...data, signature }).catch(() => undefined);
  if (signer !== undefined && isAddressEqual(signer, owner)) return;
  const isContract = (await deps.chain.getCode({ address: owner })) !== undefined;
  if (isContract) return;
  throw new InputError("The signature does not match the authorization's owner.", {
    code: "signer_mismatch",
    hint: "Sign the typed data of GET /v1/authorizations/typed-data with the owner's key.",
  });
}

function requireOwn(wallet: string, owner: Hex): void {
  if (wallet === owner) return;
  throw new InputError("The authorization belongs to another wallet.", {
    code: "owner_mismatch",
    hint: "Sign an authorization of the wallet that signed in, or sign in with the owner's wallet.",
    status: 403,
    details: { wallet, owner },
  });
}

/** Typed data for eth_signTypedData_v4, which requires the type of the domain. */
function typedData(
  domain: Record<string, unknown>,
  types: Record<string, readonly TypedDataParameter[]>,
  primaryType: string,
  message: Record<string, unknown>,
) {
  const EIP712Domain = [
    { name: "name", type: "string" },
    { name: "version", type: "string" },
    { name: "chainId", type: "uint256" },
    { name: "verifyingContract", type: "address" },
  ];
  const own = Object.fromEntries(Object.entries(types).map(([name, fields]) => [name, [...fields]]));
  return { domain, types: { EIP712Domain, ...own }, primaryType, message };
}
