import type { z } from "zod";
import type { invoiceAnswer } from "./schemas/invoices.ts";

type Invoice = z.input<typeof invoiceAnswer>;

/** The width of a page that is written on, and where its columns end, in points. */
const page = { margin: 50, width: 495 };
const columns = [
  { title: "Workspace", x: 0, width: 150, align: "left" },
  { title: "Payments", x: 150, width: 55, align: "right" },
  { title: "Paid", x: 205, width: 97, align: "right" },
  { title: "Refunded", x: 302, width: 97, align: "right" },
  { title: "Total", x: 399, width: 96, align: "right" },
] as const;
const rowHeight = 16;
const decimals = 18;

/**
 * Writes an invoice as PDF. The same invoice gives the same text; names of workspaces are ASCII, which the standard fonts have.
 *
 * @param issuer The API that states it.
 */
export async function invoicePdf(invoice: Invoice, issuer: string): Promise<Buffer> {
  // Most processes never write one.
  const { default: PdfDocument } = await import("pdfkit");
  const { month, wallet, lines, total, paid, refunded, final, dollars } = invoice;
  const info = { Title: `Invoice ${month}`, Author: issuer, CreationDate: new Date(invoice.until) };
  const document = new PdfDocument({ size: "A4", margin: page.margin, info });
  const parts: Buffer[] = [];
  document.on("data", (part: Buffer) => parts.push(part));
  const ended = new Promise<void>((resolve) => void document.on("end", resolve));
  document.font("Helvetica-Bold").fontSize(18).text(`Invoice ${month}`);
  document.font("Helvetica").fontSize(9).moveDown(0.5);
  const state = final ? "Final" : "Not final yet: the month goes on, or a reorg may still change it";
  for (const line of [
    `Issued by ${issuer}`,
    `For wallet ${wallet}`,
    `Period ${invoice.from.slice(0, 10)} until ${invoice.until.slice(0, 10)} (UTC, exclusive)`,
    `${state}. Amounts are NGPU, the sums of the wallet's statement.`,
  ])
    document.text(line);
  document.moveDown();
  row(
    document,
    columns.map(({ title }) => title),
    "Helvetica-Bold",
  );
  for (const one of lines) {
    const named = one.name === null ? one.workspaceId : `${one.workspaceId} ${one.name}`;
    row(document, [named, String(one.payments), ...[one.paid, one.refunded, one.total].map(ngpu)]);
  }
  row(document, ["Total", "", ...[paid, refunded, total].map(ngpu)], "Helvetica-Bold");
  if (dollars !== null)
    row(document, [`At ${dollars.perToken} USD`, "", "", "", `${dollars.total} USD`], "Helvetica-Bold");
  document.end();
  await ended;
  return Buffer.concat(parts);
}

/** A line of the table, on a new page when this one is full. */
function row(document: PDFKit.PDFDocument, cells: readonly string[], font = "Helvetica"): void {
  if (document.y + rowHeight > document.page.height - page.margin) document.addPage();
  const { y } = document;
  document.font(font).fontSize(8);
  for (const [index, { x, width, align }] of columns.entries()) {
    const cell = cells[index] ?? "";
    document.text(cell, page.margin + x, y, {
      width: width - 4,
      height: rowHeight,
      align,
      lineBreak: false,
      ellipsis: true,
    });
  }
  document.x = page.margin;
  document.y = y + rowHeight;
}

/** Token units as NGPU, to nine decimals; the JSON and CSV of the same invoice have all eighteen. */
function ngpu(units: string): string {
  const value = BigInt(units);
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, "0");
  const [whole, fraction] = [digits.slice(0, -decimals), digits.slice(-decimals, -9)];
  return `${value < 0n ? "-" : ""}${whole}.${fraction}`;
}
