import { z } from "zod";
import { amount, isoTime } from "./common.ts";
import { statementQuery } from "./statement.ts";

export const month = z
  .string()
  .regex(/^20\d\d-(0[1-9]|1[0-2])$/, "is not a month as 2026-11")
  .meta({ description: "Month of UTC", example: "2026-11" });

const sums = {
  paid: amount("Payments of its leases, token units"),
  refunded: amount("Refunds of downtime, token units"),
};

export const invoiceHead = z
  .object({
    month,
    from: isoTime,
    until: isoTime,
    ...sums,
    /** A month may have more refunds than payments. */
    total: z
      .string()
      .regex(/^-?\d+$/)
      .meta({ description: "paid − refunded, token units" }),
    final: z.boolean().meta({ description: "The month is over, and no reorg can change it any more" }),
  })
  .meta({ id: "Invoice" });

export const invoiceList = z.object({ invoices: z.array(invoiceHead) });

export const invoiceAnswer = invoiceHead.extend({
  wallet: z.string(),
  lines: z
    .array(
      z.object({
        workspaceId: z.string(),
        name: z.string().nullable(),
        payments: z.number().int().meta({ description: "Number of its leases' payments" }),
        ...sums,
        total: invoiceHead.shape.total,
      }),
    )
    .meta({ description: "One for each workspace; they add up to the invoice" }),
});

export const invoiceQuery = z.object({ format: statementQuery.shape.format });
