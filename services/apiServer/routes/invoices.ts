import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { dollarsOf } from "../dollars.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { invoicePdf } from "../invoicePdf.ts";
import { invoiceAnswer, invoiceList, invoiceQuery, month } from "../schemas/invoices.ts";
import { type InvoiceLine, isFinalBefore, listInvoiceLines } from "../store/invoices.ts";

/** The format that a request accepts best. */
const formatOf = (accepted: string | false) => (accepted === "csv" || accepted === "pdf" ? accepted : "json");

const inDollars = (total: string, perToken: string | undefined) =>
  perToken === undefined ? null : { perToken, total: dollarsOf(BigInt(total), perToken) };

export function invoiceRoutes({ db, publicUrl }: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/invoices",
        tag: "Accounts",
        summary: "List the months in which leases were paid or refunded, newest first",
        access: "partner",
        answer: invoiceList,
      },
      async ({ partner: { wallet } }) => {
        const lines = Map.groupBy(await listInvoiceLines(db, wallet, undefined), (line) => line.month);
        return {
          invoices: await Promise.all([...lines].map(([name, own]) => headOf({ db }, name, own))),
        };
      },
    ),
    endpoint(
      {
        method: "get",
        path: "/v1/invoices/:month",
        tag: "Accounts",
        summary: "Show what the leases of a month cost, by workspace",
        description:
          "The sums of the entries `lease_payment`, `lease_wait` and `refund` of the wallet's statement, so that both agree to the unit. With `accept: text/csv` or `format=csv` the lines are CSV, with `format=pdf` it is a document to print. `dollarsPerToken` states a rate, at which JSON and PDF show the total in dollars. A month without payments has no lines.",
        access: "partner",
        params: z.object({ month }),
        query: invoiceQuery,
        answer: invoiceAnswer,
        streams: { contentType: "text/csv", description: "The lines, with a header line" },
        also: { contentType: "application/pdf", description: "The invoice, with `format=pdf`" },
      },
      async ({ partner: { wallet }, params, query, request, response }) => {
        const found = await listInvoiceLines(db, wallet, params.month);
        const format = query.format ?? formatOf(request.accepts(["json", "csv", "pdf"]));
        const lines = found.map(lineOf);
        if (format === "csv") {
          response.status(200).type("text/csv").send(csvOf(params.month, lines));
          return undefined;
        }
        const head = await headOf({ db }, params.month, found);
        const invoice = { ...head, wallet, dollars: inDollars(head.total, query.dollarsPerToken), lines };
        if (format === "json") return invoice;
        response
          .status(200)
          .type("application/pdf")
          .send(await invoicePdf(invoice, publicUrl));
        return undefined;
      },
    ),
  ];
}

async function headOf({ db }: Pick<ApiDeps, "db">, name: string, lines: readonly InvoiceLine[]) {
  const from = new Date(`${name}-01T00:00:00.000Z`);
  const until = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1));
  const paid = lines.reduce((sum, line) => sum + line.paid, 0n);
  const refunded = lines.reduce((sum, line) => sum + line.refunded, 0n);
  return {
    month: name,
    from: from.toISOString(),
    until: until.toISOString(),
    paid: String(paid),
    refunded: String(refunded),
    total: String(paid - refunded),
    final: await isFinalBefore(db, until),
  };
}

function lineOf({ workspaceId, name, payments, paid, refunded }: InvoiceLine) {
  return {
    workspaceId,
    name,
    payments,
    paid: String(paid),
    refunded: String(refunded),
    total: String(paid - refunded),
  };
}

const columns = ["workspaceId", "name", "payments", "paid", "refunded", "total"] as const;

/** The lines as CSV (RFC 4180) with a header. No value has a character that needs quotes. */
function csvOf(name: string, lines: readonly ReturnType<typeof lineOf>[]): string {
  const rows = lines.map((line) => [name, ...columns.map((column) => line[column] ?? "")].join(","));
  return [["month", ...columns].join(","), ...rows, ""].join("\r\n");
}
