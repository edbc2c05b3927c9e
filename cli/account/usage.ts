import type { Schema } from "@ngpu/api-client/client";
import { json, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, type Settings, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { parseSeconds, tokens } from "../shared/units.ts";
import { showTaskUsage } from "./taskUsage.ts";

type Change = Schema<"BalanceChange">;
type Options = GlobalOptions & { since?: string; by?: string };

/** Shows what each workspace has cost in a period, refunds deducted. */
export async function showUsage(options: Options): Promise<void> {
  const settings = settingsOf(options);
  if (options.by !== undefined) return showTaskUsage(settings, options.by, options.since ?? "30d");
  const changes = (await read(settings, options.since)).filter(
    ({ kind }) => isPayment(kind) || kind === "refund",
  );
  const usage = [...Map.groupBy(changes, ({ workspaceId }) => workspaceId ?? "")]
    .map(([workspaceId, own]) => ({ workspaceId, ...costs(own) }))
    .sort((a, b) => (a.cost < b.cost ? 1 : -1));
  if (settings.json) return print(json(usage));
  const total = usage.reduce((sum, { cost }) => sum + cost, 0n);
  const columns = ["WORKSPACE", "PAYMENTS", "PAID", "REFUNDED", "COST"].map((title) => ({
    title,
    right: title !== "WORKSPACE",
  }));
  const rows = usage.map(({ workspaceId, payments, paid, refunded, cost }) => [
    workspaceId,
    String(payments),
    tokens(paid),
    tokens(refunded),
    tokens(cost),
  ]);
  print(`${table(columns, rows)}\n\nTotal: ${tokens(total)} NGPU since ${options.since} ago.`);
}

/** What a lease cost: paid to its node, or burned for a replica that the node waited for. */
const isPayment = (kind: Change["kind"]) => kind === "settlement" || kind === "wait";

function costs(changes: Change[]) {
  const sumOf = (some: Change[]) => some.reduce((sum, { amount }) => sum + BigInt(amount), 0n);
  const payments = changes.filter(({ kind }) => isPayment(kind));
  const paid = sumOf(payments);
  const refunded = sumOf(changes.filter(({ kind }) => kind === "refund"));
  return { payments: payments.length, paid, refunded, cost: paid - refunded };
}

async function read(settings: Settings, since: string | undefined): Promise<Change[]> {
  const from = since === undefined ? 0 : Date.now() - parseSeconds(since) * 1000;
  const changes: Change[] = [];
  for await (const change of partnerApi(settings).list("GET /v1/account/history", {
    query: { limit: 200 },
  })) {
    if (Date.parse(change.at) < from) break;
    changes.push(change);
  }
  return changes;
}
