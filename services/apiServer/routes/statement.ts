import type { Response } from "express";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { nextAfter } from "../paging.ts";
import { address } from "../schemas/common.ts";
import { statementAnswer, statementQuery } from "../schemas/statement.ts";
import { statementCsv } from "../statementCsv.ts";
import { type EntryRow, readStatement, type StatementBalances } from "../store/statement.ts";

export function statementRoutes(deps: ApiDeps): Endpoint[] {
  return [statement(deps)];
}

const statement = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/accounts/:address/statement",
      tag: "Accounts",
      summary: "List every change of a wallet's money, newest first",
      description:
        "Each entry adds `amount` to one book, so that the entries of a book add up to its balance on the chain. Money that moves between the wallet's books is two entries. With `accept: text/csv` or `format=csv` the entries are CSV, and the header `link` names the next page. Everything here is public on the chain.",
      access: "public",
      params: z.object({ address }),
      query: statementQuery,
      answer: statementAnswer,
      streams: { contentType: "text/csv", description: "The entries, with a header line" },
    },
    async ({ params, query, request, response }) => {
      const wallet = params.address;
      const { balances, rows } = await readStatement(db, wallet, { limit: query.limit, before: query.after });
      const entries = rows.map(entryOf);
      const next = nextAfter(rows, query.limit, ({ id }) => String(id));
      const format = query.format ?? (request.accepts(["json", "csv"]) === "csv" ? "csv" : "json");
      if (format === "csv") {
        if (next !== null)
          response.setHeader("link", `<?format=csv&limit=${query.limit}&after=${next}>; rel="next"`);
        sendCsv(response, statementCsv(entries));
        return undefined;
      }
      return { wallet, balances: balancesOf(balances), entries, next };
    },
  );

function sendCsv(response: Response, text: string): void {
  response.status(200).type("text/csv").send(text);
}

function balancesOf({ block, hash, ...books }: StatementBalances) {
  const { wallet, deposit, lock, rewards, bond, tasks } = books;
  return {
    block: String(block),
    blockHash: hash,
    wallet: String(wallet),
    deposit: String(deposit),
    lock: String(lock),
    total: String(wallet + deposit + lock),
    rewards: String(rewards),
    bond: String(bond),
    tasks: String(tasks),
  };
}

function entryOf({ id, at, book, kind, change, subject, block, tx_hash, tier }: EntryRow) {
  const { counterparty, workspaceId, replica, lease, nodeId, day, epoch, batch } = subject;
  return {
    id: String(id),
    at: at.toISOString(),
    book,
    kind,
    amount: String(change),
    counterparty: counterparty ?? null,
    workspaceId: workspaceId ?? null,
    replica: replica ?? null,
    lease: lease ?? null,
    nodeId: nodeId ?? null,
    day: day ?? null,
    epoch: epoch ?? null,
    batch: batch ?? null,
    block: String(block),
    txHash: tx_hash,
    tier,
  };
}
