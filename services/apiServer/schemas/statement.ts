import { z } from "zod";
import { books, entryKinds } from "../store/statement.ts";
import { amount, isoTime, nextPage, page, tier } from "./common.ts";

const signedAmount = (description: string) =>
  z
    .string()
    .regex(/^-?\d+$/)
    .meta({ description, example: "-1000000000000000000" });
const book = z.enum(books).meta({
  id: "Book",
  description:
    "wallet: the wallet's own tokens; deposit: what it deposited and no lease has locked; lock: what its open leases have locked; rewards: granted and not claimed; bond: withheld of its nodes' rewards; tasks: the part of its lease payments that task receipts account for",
});

export const statementQuery = page.extend({
  format: z
    .enum(["json", "csv"])
    .optional()
    .meta({ description: "Format of the response; default: what `accept` prefers" }),
});

const none = (description: string) => z.string().nullable().meta({ description });

export const statementAnswer = z.object({
  wallet: z.string(),
  balances: z
    .object({
      block: z.string().meta({ description: "The block of these balances, the newest one that is exported" }),
      blockHash: z.string(),
      wallet: amount("Token.balanceOf"),
      deposit: amount("Escrow.balanceOf less Escrow.lockedOf, over all escrow contracts"),
      lock: amount("Escrow.lockedOf, over all escrow contracts"),
      total: amount(
        "wallet + deposit + lock: all tokens of the wallet. Debt that is not settled yet is not deducted",
      ),
      rewards: signedAmount("Granted by the newest posted epochs, less Pomc.claimedOf"),
      bond: amount("Withheld of its nodes' rewards"),
      tasks: amount("Pomc.receiptsOfPayer"),
    })
    .meta({ description: "The sum of all entries of each book, computed from the contracts' states" }),
  entries: z.array(
    z
      .object({
        id: z.string(),
        at: isoTime,
        book,
        kind: z.enum(entryKinds),
        amount: signedAmount("What it adds to the book, token units"),
        counterparty: none("The other account of a transfer, a deposit or a withdrawal"),
        workspaceId: none("The lease"),
        replica: z.number().int().nullable(),
        lease: z.number().int().nullable(),
        nodeId: z
          .number()
          .int()
          .nullable()
          .meta({ description: "The node that was paid, was down or is bonded" }),
        day: none("Refunds only: day of the downtime, Unix time divided by the length of a day"),
        epoch: none("Rewards and bonds only: the epoch"),
        batch: none("Tasks only: the batch of receipts"),
        block: z.string(),
        txHash: none("Null for bonds: the epoch's document states them"),
        tier,
      })
      .meta({ id: "StatementEntry" }),
  ),
  next: nextPage,
});
