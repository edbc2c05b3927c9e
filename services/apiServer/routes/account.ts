import { authorizationBalance, isUsable, type LeaseFacts, refundable } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { accountAnswer, historyAnswer } from "../schemas/accounts.ts";
import { page } from "../schemas/common.ts";
import {
  type AuthorizationRow,
  currentTime,
  findAccount,
  listAuthorizations,
  listLeases,
} from "../store/escrow.ts";
import { type HistoryRow, listHistory } from "../store/history.ts";

const anyImage = /^0x0{64}$/;

export function accountRoutes({ db, delegate }: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/account",
        tag: "Accounts",
        summary: "Show the deposit, what is owed, what is refundable, and the authorizations",
        access: "partner",
        answer: accountAnswer,
      },
      async ({ partner: { wallet } }) => {
        const [now, account, authorizations, leases] = await Promise.all([
          currentTime(db),
          findAccount(db, wallet),
          listAuthorizations(db, wallet),
          listLeases(db, wallet),
        ]);
        const entries = authorizations.map((row) => authorizationEntry(row, leases, { now, delegate }));
        const allOwed = entries.reduce((sum, entry) => sum + BigInt(entry.owed), 0n);
        const balance = refundable(account, allOwed);
        return {
          wallet,
          deposited: String(account.deposited),
          withdrawn: String(account.withdrawn),
          settled: String(account.settled),
          refunded: String(account.refunded),
          owed: String(balance.owed),
          refundable: String(balance.refundable),
          asOf: now,
          tier: account.tier,
          authorizations: entries,
        };
      },
    ),
    endpoint(
      {
        method: "get",
        path: "/v1/account/history",
        tag: "Accounts",
        summary: "List what changed the balance, newest first",
        description:
          "Deposits, withdrawals, what leases were paid, and refunds for time in which a node was down: these come by themselves on the day after.",
        access: "partner",
        query: page,
        answer: historyAnswer,
      },
      async ({ partner: { wallet }, query: { limit, after } }) => {
        const rows = await listHistory(db, wallet, limit, after);
        return {
          changes: rows.map(changeOf),
          next: rows.length === limit ? (rows.at(-1)?.id ?? null) : null,
        };
      },
    ),
  ];
}

function changeOf(row: HistoryRow) {
  return {
    kind: row.kind,
    amount: String(row.amount),
    workspaceId: row.workspace_id,
    replica: row.replica,
    lease: row.lease,
    nodeId: row.node_id,
    day: row.day,
    downSeconds: row.down_seconds,
    at: row.at.toISOString(),
    txHash: row.tx_hash,
    tier: row.tier,
  };
}

function authorizationEntry(
  row: AuthorizationRow,
  leases: LeaseFacts[],
  { now, delegate }: { now: number; delegate: string },
) {
  const own = leases.filter((lease) => lease.authorizationId === row.id);
  const balance = authorizationBalance(
    { id: row.id, total: row.total, expiry: row.expiry, leases: own },
    now,
  );
  return {
    id: row.id,
    delegate: row.delegate,
    maxRate: String(row.max_rate),
    rateInUse: String(balance.rateInUse),
    total: String(row.total),
    spent: String(balance.spent),
    owed: String(balance.owed),
    left: String(balance.left),
    scope: anyImage.test(row.scope) ? null : row.scope,
    expiry: row.expiry,
    revoked: row.revoked,
    usable: isUsable(row, { now, delegate }),
    tier: row.tier,
  };
}
