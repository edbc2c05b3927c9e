import { writeFileSync } from "node:fs";
import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, type Settings, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { tokens } from "../shared/units.ts";

const money = ["PAID", "REFUNDED", "TOTAL"].map((title) => ({ title, right: true }));

/** Writes a month as PDF into a file. */
async function writePdf(
  settings: Settings,
  month: string,
  { query, file }: { query: Record<string, string>; file: string },
): Promise<void> {
  const bytes = await partnerApi(settings).bytes("GET /v1/invoices/{month}", {
    path: { month },
    query: { ...query, format: "pdf" },
  });
  writeFileSync(file, bytes);
  if (settings.json) print(json({ file, bytes: bytes.length }));
  else note(`Wrote ${file}.`);
}

/** Lists the months with an invoice, or shows one month by workspace. */
export async function showInvoices(
  month: string | undefined,
  options: GlobalOptions & { csv: boolean; pdf?: string; dollars?: string },
): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  if (month === undefined) {
    const { invoices } = await api.call("GET /v1/invoices", {});
    if (settings.json) return print(json(invoices));
    const rows = invoices.map(({ month: name, paid, refunded, total, final }) => [
      name,
      tokens(paid),
      tokens(refunded),
      tokens(total),
      final ? "final" : "open",
    ]);
    return print(table([{ title: "MONTH" }, ...money, { title: "STATE" }], rows));
  }
  const query = options.dollars === undefined ? {} : { dollarsPerToken: options.dollars };
  if (options.pdf !== undefined) return writePdf(settings, month, { query, file: options.pdf });
  const invoice = await api.call("GET /v1/invoices/{month}", { path: { month }, query });
  if (settings.json) return print(json(invoice));
  const { lines, total, final, dollars } = invoice;
  if (options.csv) {
    const rows = lines.map((one) => [
      month,
      one.workspaceId,
      one.name ?? "",
      one.payments,
      one.paid,
      one.refunded,
      one.total,
    ]);
    return print([["month,workspaceId,name,payments,paid,refunded,total"], ...rows].join("\n"));
  }
  const rows = lines.map((one) => [
    one.workspaceId,
    one.name ?? "",
    String(one.payments),
    tokens(one.paid),
    tokens(one.refunded),
    tokens(one.total),
  ]);
  const columns = [{ title: "WORKSPACE" }, { title: "NAME" }, { title: "PAYMENTS", right: true }, ...money];
  const inDollars = dollars === null ? "" : ` (${dollars.total} USD at ${dollars.perToken})`;
  const state = final ? "final" : "not final yet";
  print(`${table(columns, rows)}\n\nTotal: ${tokens(total)} NGPU${inDollars}, ${state}.`);
}
