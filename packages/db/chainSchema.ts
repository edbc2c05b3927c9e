import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** Written by `npm run chain:schema`. */
export const chainSchemaFile = join(import.meta.dirname, "chainSchema.json");

const recorded = z.object({
  /** Incremented when the definitions of schema `chain` change. */
  version: z.int().min(1),
  /** Services built for this version or a later one can read the schema. */
  compatibleSince: z.int().min(1),
  /** Hash of the definitions. */
  definitions: z.string(),
  /** Types of columns, by table and column. */
  tables: z.record(z.string(), z.record(z.string(), z.string())),
});

/** The recorded definitions of schema `chain`. */
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
