import { z } from "zod";
import { amount, isoTime } from "./common.ts";

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
  dollars: z
    .object({
      perToken: z.string().meta({ description: "The rate that the request states" }),
      total: z.string().meta({ description: "The total at this rate, rounded down to a millionth" }),
    })
    .nullable()
    .meta({ description: "Null: the request states no rate" }),
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

export const invoiceQuery = z.object({
  format: z
    .enum(["json", "csv", "pdf"])
    .optional()
    .meta({ description: "Format of the response; default: what `accept` prefers" }),
  dollarsPerToken: z
    .string()
    .regex(/^\d{1,9}(\.\d{1,6})?$/, "is not a decimal number with at most 6 decimals")
    .optional()
    .meta({ description: "Rate at which the total is also stated in dollars: dollars of one NGPU" }),
});
