import type { ApiClient } from "@ngpu/api-client/client";
import type { ResultOf } from "@ngpu/api-client/routes";
import { FatalError } from "@ngpu/runtime/errors";
import { type Hex, parseSignature } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { json, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { parsePrice, parseSeconds, parseTokens, tokens } from "../shared/units.ts";
import { walletOf } from "./wallet.ts";

type TypedData = ResultOf<"GET /v1/deposits/typed-data">["typedData"];
type Terms = { total?: string; maxRate?: string; daily?: string; expires: string };
type DepositOptions = GlobalOptions & { wallet?: string; authorize: boolean };

/** Deposits tokens with a signed permit. */
export async function depositTokens(text: string, options: DepositOptions): Promise<void> {
  const settings = settingsOf(options);
  const amount = String(parseTokens(text));
  const api = partnerApi(settings);
  const account = walletOf(settings, options.wallet);
  const { typedData } = await api.call("GET /v1/deposits/typed-data", { query: { amount } });
  const { message } = typedData;
  requireSame(typedData, { primaryType: "Permit", owner: account.address, value: amount });
  const { v, r, s } = parseSignature(await sign(account, typedData));
  const body = { amount, deadline: String(message.deadline), v: Number(v), r, s };
  const deposited = await api.call("POST /v1/deposits", { body });
  const authorized = options.authorize ? await authorize(api, account, { expires: "30d" }) : undefined;
  if (settings.json) return print(json({ ...deposited, ...authorized }));
  print(`Deposited ${tokens(amount)} NGPU in ${deposited.txHash}.`);
  if (authorized !== undefined) print(`Authorization ${authorized.authorizationId} is stored on the chain.`);
}

/** Authorizes the API to publish. */
export async function authorizeApi(options: GlobalOptions & Terms & { wallet?: string }): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  const authorized = await authorize(api, walletOf(settings, options.wallet), options);
  print(
    settings.json
      ? json(authorized)
      : `Authorization ${authorized.authorizationId} is stored on the chain, in ${authorized.txHash}.`,
  );
}

async function authorize(api: ApiClient, account: PrivateKeyAccount, terms: Terms) {
  const query = {
    ...(terms.total === undefined ? {} : { total: String(parseTokens(terms.total)) }),
    ...(terms.maxRate === undefined ? {} : { maxRate: parsePrice(terms.maxRate) }),
    ...(terms.daily === undefined ? {} : { daily: String(parseTokens(terms.daily)) }),
    expiry: Math.floor(Date.now() / 1000) + parseSeconds(terms.expires),
  };
  const { typedData } = await api.call("GET /v1/authorizations/typed-data", { query });
  requireSame(typedData, { primaryType: "Authorization", owner: account.address, ...query });
  const signature = await sign(account, typedData);
  const authorization = typedData.message as never;
  return api.call("POST /v1/authorizations", { body: { authorization, signature } });
}

/** Refuses to sign something else than what was asked for. @throws FatalError `typed_data_mismatch`. */
function requireSame(typedData: TypedData, asked: Record<string, unknown>): void {
  const { primaryType, message } = typedData;
  const offered: Record<string, unknown> = { ...message, primaryType };
  for (const [field, value] of Object.entries(asked)) {
    if (String(offered[field]).toLowerCase() === String(value).toLowerCase()) continue;
    throw new FatalError(`The API asks to sign ${field} ${offered[field]} instead of ${value}.`, {
      code: "typed_data_mismatch",
      hint: "Use the wallet that the API key belongs to, and check that the API is the market's.",
    });
  }
}

function sign(account: PrivateKeyAccount, { types, ...rest }: TypedData): Promise<Hex> {
  // viem derives the type of the domain itself.
  const { EIP712Domain: _derived, ...own } = types;
  return account.signTypedData({ ...rest, types: own } as Parameters<typeof account.signTypedData>[0]);
}
