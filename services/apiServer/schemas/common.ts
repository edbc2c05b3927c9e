import { isStorable, notStorable } from "@ngpu/protocol/workspaceConfig";
import type { Address, Hex } from "viem";
import { z } from "zod";
import "zod-openapi";

/** A decimal string of an unsigned integer below 2^bits, which may exceed JSON's safe numbers. */
export const uint = (bits: number, description: string) =>
  z
    .string()
    .regex(/^\d{1,78}$/, { error: "is not a string of decimal digits", abort: true })
    .refine((text) => BigInt(text) < 1n << BigInt(bits), `does not fit in ${bits} bits`)
    .transform((text) => BigInt(text))
    .meta({ description, example: "1000000000000000000" });

/** Text that Postgres can store. */
export const text = (min: number, max: number) =>
  z.string().min(min).max(max).refine(isStorable, notStorable);

/** An amount of token units in a response. */
export const amount = (description: string) =>
  z.string().regex(/^\d+$/).meta({ description, example: "1000000000000000000" });

export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, "is not an address")
  .transform((text) => text.toLowerCase() as Address)
  .meta({ description: "Address, 0x and 40 hexadecimal digits" });

export const hexBytes = (length: number, description: string) =>
  z
    .string()
    .regex(new RegExp(`^0x[0-9a-fA-F]{${2 * length}}$`), `is not ${length} bytes of hex`)
    .transform((text) => text.toLowerCase() as Hex)
    .meta({ description });

export const signature = z
  .string()
  .regex(/^0x([0-9a-fA-F]{2}){65,4096}$/, "is not a signature")
  .transform((text) => text as Hex)
  .meta({ description: "Signature, hex" });

export const workspaceIdText = z
  .string()
  .regex(/^\d{1,20}$/, "is not a workspace id")
  .meta({ description: "Workspace id", example: "1" });

export const nodeIdText = z
  .string()
  .regex(/^\d{1,10}$/, "is not a node id")
  .meta({ description: "Node id", example: "1" });

export const txHash = z.string().meta({ description: "Transaction hash" });
export const unixTime = z
  .number()
  .int()
  .meta({ description: "Unix time in seconds", example: 1_800_000_000 });
export const isoTime = z
  .string()
  .meta({ format: "date-time", description: "Time, ISO 8601", example: "2030-01-01T00:00:00.000Z" });

export const tier = z.enum(["unsafe", "safe", "finalized"]).meta({
  id: "Tier",
  description: "Finality of the record: the highest OP-stack head that includes its block",
});

export const page = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .meta({ description: "Maximum number of entries in the response" }),
  after: z
    .string()
    .regex(/^\d{1,20}$/)
    .optional()
    .meta({ description: "Return entries after this id (`next` of the previous page)" }),
});

export const nextPage = z
  .string()
  .nullable()
  .meta({ description: "Value of `after` for the next page; null: this is the last page" });

/** An error of the API: a problem of RFC 9457. */
export const problemBody = z
  .object({
    type: z.string().meta({ description: "URN with the code" }),
    title: z.string().meta({ description: "The HTTP status in words" }),
    status: z.number().int().meta({ description: "The HTTP status" }),
    detail: z.string().meta({ description: "What went wrong, in a sentence" }),
    instance: z.string().meta({ description: "URN with the request's id" }),
    code: z.string().meta({ description: "Stable, machine-readable code" }),
    hint: z.string().meta({ description: "How to resolve the error" }),
    errors: z
      .array(
        z.object({
          location: z.enum(["path", "query", "header", "body"]),
          pointer: z.string().meta({ description: "JSON Pointer to the field" }),
          detail: z.string(),
        }),
      )
      .optional()
      .meta({ description: "The invalid fields" }),
    details: z.record(z.string(), z.unknown()).optional().meta({ description: "Facts about the error" }),
    request_id: z.string().meta({ description: "Value of the response's x-request-id header" }),
  })
  .meta({ id: "Problem" });
