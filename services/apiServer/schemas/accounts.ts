import { z } from "zod";
import { scopeNames, scopeTexts } from "../scopes.ts";
import {
  address,
  amount,
  hexBytes,
  isoTime,
  nextPage,
  signature,
  text,
  tier,
  txHash,
  uint,
  unixTime,
} from "./common.ts";

export const nonceAnswer = z.object({
  nonce: z.string().meta({ description: "Valid for one sign-in" }),
  domain: z.string().meta({ description: "Required domain of the message" }),
  uri: z.string(),
  chainId: z.number().int(),
  expiresAt: isoTime,
});

export const signIn = z.strictObject({
  message: text(0, 4_000).meta({ description: "The EIP-4361 message, exactly as signed" }),
  signature,
  keyName: text(1, 100).default("default").meta({ description: "Name of the key" }),
});

export const signInAnswer = z.object({
  wallet: z.string(),
  keyId: z.string(),
  apiKey: z.string().meta({ description: "Shown only once; only its hash is stored" }),
});

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

export const keyEntry = z.object({
  id: z.string(),
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

export const authorizationEntry = z.object({
  id: z.string(),
  escrow: z.string().meta({ description: "The escrow contract that stores it" }),
  delegate: z.string(),
  maxRate: amount("Maximum total rate of all open leases, token units per second"),
  daily: amount("What all open leases together may cost a day, token units"),
  rateInUse: amount("Total rate of all open leases"),
  total: amount("Maximum total to spend, token units"),
  spent: amount("Amount settled so far"),
  owed: amount("Owed now by running leases, not settled yet"),
  locked: amount("Set aside for open leases"),
  remaining: amount("Remaining amount: total − spent − owed − locked"),
  scope: z.string().nullable().meta({ description: "The only image digest it covers; null: any image" }),
  expiry: unixTime,
  revoked: z.boolean(),
  usable: z.boolean().meta({ description: "Whether this API can publish with it now" }),
  tier,
});

const escrowBalance = z.object({
  escrow: z.string().meta({ description: "The escrow contract of this account" }),
  deposited: amount("Total deposited, token units"),
  withdrawn: amount("Total withdrawn"),
  settled: amount("Paid to nodes for leases"),
  refunded: amount("Refunded for node downtime"),
  owed: amount("Owed now by running leases, not settled yet"),
  locked: amount("Set aside for open leases"),
  refundable: amount(
    "Amount that can be withdrawn now: deposited + refunded − withdrawn − settled − owed − locked",
  ),
  tier: tier.nullable().meta({ description: "Tier of the deposits; null: none yet" }),
});

export const accountAnswer = escrowBalance.extend({
  wallet: z.string(),
  asOf: unixTime,
  previous: z.array(escrowBalance.meta({ id: "PreviousBalance" })).meta({
    description:
      "Balances in replaced contracts, oldest first. Their leases are still paid from there; withdraw the rest from that contract",
  }),
  authorizations: z.array(authorizationEntry),
});

export const historyAnswer = z.object({
  changes: z.array(
    z
      .object({
        escrow: z.string().meta({ description: "The escrow contract whose balance changed" }),
        kind: z.enum(["deposit", "withdrawal", "settlement", "refund"]),
        amount: amount("Token units; deposits and refunds raise the balance, the others lower it"),
        workspaceId: z.string().nullable(),
        replica: z.number().int().nullable(),
        lease: z.number().int().nullable(),
        nodeId: z.number().int().nullable().meta({ description: "The node that was paid or was down" }),
        day: z.string().nullable().meta({
          description: "Refunds only: day of the downtime, Unix time divided by the length of a day",
        }),
        downSeconds: z.number().int().nullable().meta({ description: "Refunds only: seconds of downtime" }),
        at: isoTime,
        txHash,
        tier,
      })
      .meta({ id: "BalanceChange" }),
  ),
  next: nextPage,
});

export const authorizationMessage = z.strictObject({
  owner: address,
  delegate: address,
  maxRate: uint(64, "Maximum total rate, token units per second"),
  daily: uint(96, "What all open leases together may cost a day, token units"),
  total: uint(128, "Maximum total to spend, token units"),
  scope: hexBytes(32, "The only image digest it covers; zero: any image"),
  expiry: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 40 - 1)
    .meta({ description: "Unix time in seconds" }),
  nonce: uint(256, "Any unused number"),
});

export const newAuthorization = z.strictObject({ authorization: authorizationMessage, signature });
export const authorizationAnswer = z.object({ authorizationId: z.string(), txHash, tier });

export const typedDataQuery = z.object({
  maxRate: uint(64, "Maximum total rate, token units per second").optional(),
  daily: uint(96, "What all open leases together may cost a day; default: a day at maxRate").optional(),
  total: uint(128, "Maximum total to spend, token units").optional(),
  expiry: z.coerce
    .number()
    .int()
    .positive()
    .max(2 ** 40 - 1)
    .optional()
    .meta({ description: "Unix time; default: in 30 days" }),
  scope: hexBytes(32, "The only image digest it covers; default: any image").optional(),
});

export const permitQuery = z.object({
  amount: uint(128, "Token units to deposit"),
  deadline: z.coerce
    .number()
    .int()
    .positive()
    .optional()
    .meta({ description: "Unix time; default: in one hour" }),
});

export const typedDataAnswer = z.object({
  typedData: z
    .object({
      domain: z.record(z.string(), z.unknown()),
      types: z.record(z.string(), z.array(z.object({ name: z.string(), type: z.string() }))),
      primaryType: z.string(),
      message: z.record(z.string(), z.unknown()),
    })
    .meta({ description: "Input of eth_signTypedData_v4" }),
});

export const newDeposit = z.strictObject({
  amount: uint(128, "Token units to deposit"),
  deadline: uint(256, "The permit's deadline, Unix time"),
  v: z.number().int().min(0).max(255),
  r: hexBytes(32, "Part of the permit's signature"),
  s: hexBytes(32, "Part of the permit's signature"),
});
export const depositAnswer = z.object({ amount: amount("Token units"), txHash, tier });
