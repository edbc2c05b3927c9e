import { generationOf } from "@ngpu/contracts-sdk/generations";
import { authorizationBalance, balanceOf, isUsable, type LeaseFacts, refundable } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { nextAfter } from "../paging.ts";
import { accountAnswer, historyAnswer } from "../schemas/accounts.ts";
import { page } from "../schemas/common.ts";
import {
  type AccountRow,
  type AuthorizationRow,
  currentTime,
  findAccounts,
  listAuthorizations,
  listLeases,
} from "../store/escrow.ts";
import { type HistoryRow, listHistory } from "../store/history.ts";

const anyImage = /^0x0{64}$/;

export function accountRoutes(deps: ApiDeps): Endpoint[] {
  return [account(deps), history(deps)];
}

const account = ({ db, delegate, deployment }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/account",
      tag: "Accounts",
      summary: "Show the deposit, the amounts owed and refundable, and the authorizations",
      access: "partner",
      answer: accountAnswer,
    },
    async ({ partner: { wallet, member, role } }) => {
      const [now, accounts, authorizations, leases] = await Promise.all([
        currentTime(db),
        findAccounts(db, wallet),
        listAuthorizations(db, wallet),
        listLeases(db, wallet),
      ]);
      const generation = generationOf(deployment, "Escrow");
      const entries = authorizations.map((row) =>
        authorizationEntry(row, leases, { now, delegate, generation }),
      );
      const current = accounts.find((account) => account.generation === generation);
      const previous = accounts.filter(
        (account) => account.generation < generation && balanceOf(account) > 0n,
      );
      return {
        wallet,
        member,
        role,
        ...accountTotals(
          current ?? { ...emptyAccount, escrow: deployment.contracts.Escrow.toLowerCase() },
          entries,
        ),
        previous: previous.map((account) => accountTotals(account, entries)),
        asOf: now,
        authorizations: entries,
      };
    },
  );

const history = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/account/history",
      tag: "Accounts",
      summary: "List balance changes, newest first",
      description:
        "Deposits, withdrawals, lease payments, charges for replicas that nodes waited for, and refunds. Downtime of a node is refunded automatically the next day.",
      access: "partner",
      query: page,
      answer: historyAnswer,
    },
    async ({ partner: { wallet }, query: { limit, after } }) => {
      const rows = await listHistory(db, wallet, limit, after);
      return {
        changes: rows.map(changeOf),
        next: nextAfter(rows, limit, (row) => row.id),
      };
    },
  );

const emptyAccount = { deposited: 0n, withdrawn: 0n, settled: 0n, refunded: 0n, burned: 0n, tier: null };

/** The account in one escrow, with the debts of the leases it pays for. */
function accountTotals(
  account: Omit<AccountRow, "generation">,
  entries: { escrow: string; owed: string; locked: string }[],
) {
  const own = entries.filter(({ escrow }) => escrow === account.escrow);
  const balance = refundable(
    account,
    own.reduce((sum, { owed }) => sum + BigInt(owed), 0n),
    own.reduce((sum, { locked }) => sum + BigInt(locked), 0n),
  );
  return {
    escrow: account.escrow,
    deposited: String(account.deposited),
    withdrawn: String(account.withdrawn),
    settled: String(account.settled),
    refunded: String(account.refunded),
    burned: String(account.burned),
    owed: String(balance.owed),
    locked: String(balance.locked),
    refundable: String(balance.refundable),
    tier: account.tier,
  };
}

function changeOf(row: HistoryRow) {
  return {
    escrow: row.escrow,
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
  { now, delegate, generation }: { now: number; delegate: string; generation: number },
) {
  const own = leases.filter((lease) => lease.authorizationId === row.id);
  const balance = authorizationBalance(
    { id: row.id, total: row.total, expiry: row.expiry, leases: own },
    now,
  );
  return {
    id: row.id,
    escrow: row.escrow,
    delegate: row.delegate,
    maxRate: String(row.max_rate),
    daily: String(row.daily),
    rateInUse: String(balance.rateInUse),
    total: String(row.total),
    spent: String(balance.spent),
    owed: String(balance.owed),
    locked: String(balance.locked),
    remaining: String(balance.remaining),
    scope: anyImage.test(row.scope) ? null : row.scope,
    expiry: row.expiry,
    revoked: row.revoked,
    usable: isUsable(row, { now, delegate, generation }),
    tier: row.tier,
  };
}
