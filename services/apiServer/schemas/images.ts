import { workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { z } from "zod";
import { hexBytes, nextPage, tier, txHash } from "./common.ts";

export const newImage = z.strictObject({
  digest: z
    .string()
    .regex(/^(sha256:|0x)[0-9a-fA-F]{64}$/, "is not a sha256 digest")
    .transform((text) => `0x${text.slice(-64).toLowerCase()}` as const)
    .meta({ description: "sha256 of the image's manifest" }),
  sizeBytes: z
    .union([z.number().int().positive(), z.string().regex(/^[1-9]\d{0,18}$/)])
    .transform((size) => BigInt(size)),
  chunkRoot: hexBytes(32, "Merkle root of the image's chunks; zero if there is none").default(
    `0x${"0".repeat(64)}`,
  ),
  reference: workspaceConfig.shape.image.meta({ description: "Registry reference without digest" }),
});
export const imageEntry = z.object({
  digest: z.string(),
  owner: z.string(),
  sizeBytes: z.string(),
  chunkRoot: z.string(),
  reference: z.string(),
  verified: z
    .boolean()
    .meta({ description: "The size is that of the manifest, verified against the digest" }),
  tier,
});
export const imageList = z.object({ images: z.array(imageEntry), next: nextPage });
export const imageAnswer = z.object({
  digest: z.string(),
  reference: z.string(),
  sizeBytes: z.string(),
  verified: z.boolean(),
  txHash: txHash.nullable(),
});
