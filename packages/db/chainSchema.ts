import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** Beside this file; written by `npm run chain:schema`. */
export const chainSchemaFile = join(import.meta.dirname, "chainSchema.json");

const recorded = z.object({
  /** Counts the definitions of schema `chain`. */
  version: z.int().min(1),
  /** Services built for this version, or a later one, can read it. */
  compatibleSince: z.int().min(1),
  /** Hash of the definitions. */
  definitions: z.string(),
  /** Columns with their types, by table. */
  tables: z.record(z.string(), z.record(z.string(), z.string())),
});

/** The definitions of schema `chain` as they were recorded last. */
export type ChainSchema = z.infer<typeof recorded>;
export type ChainVersion = Pick<ChainSchema, "version" | "compatibleSince">;

export function readChainSchema(): ChainSchema {
  return recorded.parse(JSON.parse(readFileSync(chainSchemaFile, "utf8")));
}

/** The version of schema `chain` that this code was built for. */
export function readChainVersion(): ChainVersion {
  const { version, compatibleSince } = readChainSchema();
  return { version, compatibleSince };
}
