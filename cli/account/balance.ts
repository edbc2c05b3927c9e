import type { Schema } from "@ngpu/api-client/client";
import type { ResultOf } from "@ngpu/api-client/routes";
import { json, print, styled } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { about, ago, hourly, tokens } from "../shared/units.ts";

type Account = ResultOf<"GET /v1/account">;

/** Shows the deposit, what is owed and can be withdrawn, and the authorizations. */
export async function showBalance(options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const account = await partnerApi(settings).call("GET /v1/account", {});
  print(settings.json ? json(account) : balanceText(account));
}

function balanceText(account: Account): string {
  const rate = account.authorizations.reduce((sum, { rateInUse }) => sum + BigInt(rateInUse), 0n);
  const left = rate === 0n ? undefined : Number(BigInt(account.refundable) / rate);
  const lines = [
    ["Wallet", account.wallet],
    ["Withdrawable", `${styled("bold", tokens(account.refundable))} NGPU`],
    ["Owed now", `${tokens(account.owed)} NGPU`],
    ["Locked", `${tokens(account.locked)} NGPU, for open leases`],
    ["Deposited", `${tokens(account.deposited)} NGPU`],
    ["Paid", `${tokens(account.settled)} NGPU`],
    ["Refunded", `${tokens(account.refunded)} NGPU`],
    ["Withdrawn", `${tokens(account.withdrawn)} NGPU`],
    ["Rate", `${hourly(rate)} NGPU an hour${left === undefined ? "" : `; the balance lasts ${ago(left)}`}`],
    ...account.previous.map((before: Schema<"PreviousBalance">) => [
      "In a replaced contract",
      `${tokens(before.refundable)} NGPU at ${before.escrow}`,
    ]),
  ];
  return [
    ...lines.map(([name = "", value = ""]) => `${`${name}:`.padEnd(14)} ${value}`),
    ...(account.authorizations.length === 0
      ? ["", "The API is not authorized to publish. Run ngpu authorize."]
      : ["", authorizationTable(account)]),
  ].join("\n");
}

function authorizationTable({ authorizations, asOf }: Account): string {
  const columns = [
    { title: "AUTHORIZATION" },
    { title: "REMAINING", right: true },
    { title: "MAX RATE/H", right: true },
    { title: "A DAY", right: true },
    { title: "IMAGE", cut: true },
    { title: "EXPIRES" },
  ];
  const state = (one: Account["authorizations"][number]) =>
    one.revoked ? "revoked" : one.expiry <= asOf ? "expired" : `in ${ago(one.expiry - asOf)}`;
  return table(
    columns,
    authorizations.map((one) => [
      one.id,
      about(one.remaining),
      hourly(one.maxRate),
      about(one.daily),
      one.scope ?? "any",
      state(one),
    ]),
  );
}
