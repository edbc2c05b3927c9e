import { readdirSync } from "node:fs";
import { join } from "node:path";
import { resultSchema } from "@ngpu/proof/record";
import { InputError } from "@ngpu/runtime/errors";
import type { Evidence } from "@ngpu/waves/evidence";
import type { Hex } from "viem";
import { z } from "zod";
import { parseJson, readText } from "../shared/files.ts";

const evidenceHint = "Give evidence as a measurer keeps it: answer, paths and transcript of one device.";

const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .transform((text) => text as Hex);
const placed = z.object({
  measurerId: z.int().nonnegative(),
  path: z.array(z.object({ side: z.enum(["left", "right"]), hash })).max(64),
});
const transcript = z.base64().transform((text) => new Uint8Array(Buffer.from(text, "base64")));

/** What shows a device's answer in a wave, as measurers keep it. The transcript is base64. */
const evidenceSchema = z.object({
  waveId: z.int().positive(),
  nodeId: z.int().nonnegative(),
  device: z.int().nonnegative(),
  result: z.object({ chase: resultSchema.shape.chase, work: resultSchema.shape.work, transcript }),
  chase: placed,
  answers: placed,
});

export type EvidenceFile = Evidence & { waveId: number; file: string };

/**
 * Reads evidence from a file, or from the `.json` files of a folder.
 *
 * @throws InputError `evidence_invalid`, or what `readText` throws.
 */
export function readEvidence(path: string, isFolder: boolean): EvidenceFile[] {
  const files = isFolder ? listed(path).map((name) => join(path, name)) : [path];
  return files.map((file) => {
    const { data, error } = evidenceSchema.safeParse(parseJson(readText(file), file, evidenceHint));
    if (data !== undefined) return { ...data, file };
    throw new InputError(`${file} is no evidence of a wave: ${z.prettifyError(error)}`, {
      code: "evidence_invalid",
      hint: evidenceHint,
    });
  });
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .sort();
  } catch (cause) {
    throw new InputError(`The folder ${folder} cannot be read.`, {
      code: "evidence_unreadable",
      hint: "Name a folder with evidence of a wave.",
      cause,
    });
  }
}
