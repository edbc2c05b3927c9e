import { secretLimits, secretName } from "@ngpu/protocol/secrets";
import { isStorable, notStorable } from "@ngpu/protocol/workspaceConfig";
import { z } from "zod";
import { text } from "./common.ts";

const bytesIn = (value: string) => Buffer.byteLength(value);
const tooLong = `has more than ${secretLimits.value} bytes`;

const newSecret = z
  .strictObject({
    name: secretName.meta({ description: "Name of the variable or file", example: "HF_TOKEN" }),
    value: z
      .string()
      .refine((value) => bytesIn(value) <= secretLimits.value, tooLong)
      .refine(isStorable, notStorable)
      .optional()
      .meta({ description: "The value as text" }),
    base64: z
      .base64("is not base64")
      .max(Math.ceil(secretLimits.value / 3) * 4, tooLong)
      .optional()
      .meta({ description: "The value as bytes, in base64. Only a file can have such a value." }),
  })
  .refine(
    ({ value, base64 }) => (value === undefined) !== (base64 === undefined),
    "needs either value or base64",
  )
  .meta({ id: "NewSecret" });

export const newSecrets = z
  .strictObject({
    secrets: z
      .array(newSecret)
      .min(1)
      .max(secretLimits.perWorkspace)
      .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, "names a secret twice"),
  })
  .meta({ id: "NewSecrets" });

export const secret = z
  .object({
    name: text(1, 128),
    bytes: z.number().int().meta({ description: "Length of the value" }),
    version: z.number().int().meta({ description: "Counts the values that it has had, from 1" }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: "Secret" });

export const secretList = z.object({ secrets: z.array(secret) }).meta({ id: "SecretList" });
