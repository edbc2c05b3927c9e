import { randomBytes } from "node:crypto";
import { authorizationTypes, domainOf } from "@ngpu/contracts-sdk/typedData";
import { InputError } from "@ngpu/runtime/errors";
import { type Hex, hashTypedData, isAddressEqual, recoverTypedDataAddress } from "viem";
import type { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import {
  authorizationAnswer,
  newAuthorization,
  typedDataAnswer,
  typedDataQuery,
} from "../schemas/accounts.ts";
import { currentTime } from "../store/escrow.ts";
import { typedData } from "../typedData.ts";

type Authorization = z.output<typeof newAuthorization>["authorization"];

const day = 86_400;
const units = 10n ** 18n;

export function authorizationRoutes(deps: ApiDeps): Endpoint[] {
  return [authorizationTypedData(deps), authorize(deps)];
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
        daily: String(query.daily ?? BigInt(day) * (query.maxRate ?? units / 1000n)),
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
