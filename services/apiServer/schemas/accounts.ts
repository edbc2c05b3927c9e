import { z } from "zod";
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
import { role } from "./members.ts";

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
  account: address
    .optional()
    .meta({ description: "An account that the wallet is a member of; default: the wallet's own" }),
  invitation: text(1, 200)
    .optional()
    .meta({ description: "An invitation to accept: the key is for its account" }),
});

export const signInAnswer = z.object({
  wallet: z.string().meta({ description: "The account that the key is for" }),
  member: z.string().meta({ description: "The wallet that has signed in" }),
  role,
  keyId: z.string(),
  apiKey: z.string().meta({ description: "Shown only once; only its hash is stored" }),
});

export const authorizationEntry = z.object({
  id: z.string(),
  escrow: z.string().meta({ description: "The escrow contract that stores it" }),
  delegate: z.string(),
  maxRate: amount("Maximum total rate of all open leases, token units per second"),
  daily: amount("What all open leases together may cost a day, token units"),
  rateInUse: amount("Total rate of all open leases"),
  total: amount("Maximum total to spend, token units"),
  spent: amount("Amount paid or burned so far"),
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
  burned: amount("Burned of locks, for replicas that nodes waited for"),
  owed: amount("Owed now by running leases, not settled yet"),
  locked: amount("Set aside for open leases"),
  refundable: amount(
    "Amount that can be withdrawn now: deposited + refunded − withdrawn − settled − burned − owed − locked",
  ),
  tier: tier.nullable().meta({ description: "Tier of the deposits; null: none yet" }),
});

export const accountAnswer = escrowBalance.extend({
  wallet: z.string(),
  member: z.string().meta({ description: "Who holds the key: the account's own wallet, or a member's" }),
  role,
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
        kind: z.enum(["deposit", "withdrawal", "settlement", "wait", "refund"]),
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
