import { z } from "zod";
import { scopeNames, scopeTexts } from "../scopes.ts";
import { amount, isoTime, text, uint } from "./common.ts";

const scopes = z
  .array(z.enum(scopeNames))
  .min(1)
  .meta({
    description: `What the key may do: ${Object.entries(scopeTexts)
      .map(([name, says]) => `${name}: ${says}`)
      .join("; ")}`,
  });
const keyTerms = {
  scopes: scopes.nullable().meta({ description: "What the key may do; null: everything" }),
  expiresAt: isoTime.nullable().meta({ description: "Since when the key is refused; null: never" }),
  ratePerMinute: z
    .number()
    .int()
    .nullable()
    .meta({ description: "Calls a minute; null: the API's own limit" }),
  spendPerDay: amount("What the key may spend a day, token units; null: any amount").nullable(),
};

const keyEntry = z.object({
  id: z.string(),
  member: z.string().meta({ description: "Who holds it: the account's own wallet, or a member's" }),
  name: z.string(),
  ...keyTerms,
  createdAt: isoTime,
  lastUsedAt: isoTime.nullable().meta({ description: "With a resolution of one minute" }),
  spentToday: amount("What the tasks of a key with spendPerDay have cost since midnight UTC, token units"),
});
export const keyList = z.object({ keys: z.array(keyEntry) });
export const newKey = z.strictObject({
  name: text(1, 100),
  scopes: scopes.optional(),
  expiresAt: z.iso
    .datetime({ offset: true })
    .optional()
    .meta({ description: "Since when the key is refused; default: that of the key that creates it" }),
  ratePerMinute: z
    .number()
    .int()
    .min(1)
    .max(600)
    .optional()
    .meta({ description: "Calls a minute; default: the API's own limit" }),
  spendPerDay: uint(
    128,
    "What the key may spend a day, token units: its tasks at the price of their leases, and the workspaces that it has ordered at their highest price",
  ).optional(),
});
export const newKeyAnswer = z.object({
  id: z.string(),
  name: z.string(),
  apiKey: z.string().meta({ description: "Shown only once" }),
  ...keyTerms,
});

export const keyRotation = z.strictObject({
  overlapSeconds: z
    .number()
    .int()
    .min(0)
    .max(30 * 86_400)
    .default(86_400)
    .meta({ description: "How long the replaced key is still accepted, seconds" }),
});
export const keyRotationAnswer = z.object({
  id: z.string(),
  name: z.string(),
  apiKey: z.string().meta({ description: "Shown only once" }),
  replaced: z.string().meta({ description: "Id of the replaced key" }),
  acceptedUntil: isoTime.meta({ description: "Until when the replaced key is accepted" }),
});
