import type { Address, Hex } from "viem";
import { z } from "zod";

/* The fields of messages that nodes and measurers sign: each accepts what its Solidity type holds. */

export const address = z.custom<Address>(
  (v) => typeof v === "string" && /^0x[0-9a-fA-F]{40}$/.test(v),
  "is not an address",
);
export const bytes = (length: number) =>
  z.custom<Hex>(
    (v) => typeof v === "string" && new RegExp(`^0x[0-9a-fA-F]{${2 * length}}$`).test(v),
    `is not ${length} bytes in hexadecimal`,
  );
/** A signature that travels in a message: of a key, of a wallet that is a contract, or none. */
export const consent = z
  .custom<Hex>(
    (v) => typeof v === "string" && /^0x([0-9a-fA-F]{2}){0,2048}$/.test(v),
    "is not at most 2048 bytes in hexadecimal",
  )
  .default("0x");
export const small = (bits: number) =>
  z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** bits - 1);
export const big = (bits: number) =>
  z
    .union([z.bigint(), z.string().regex(/^\d{1,78}$/), z.number().int().nonnegative()])
    .transform((value) => BigInt(value))
    .refine((value) => value < 1n << BigInt(bits), `does not fit in ${bits} bits`);

const resources = z.strictObject({
  gpus: small(8),
  cpuMilli: small(24),
  memoryMib: small(24),
  diskGib: small(16),
  ports: small(16),
});
export const nodeSpec = z.strictObject({
  gpuModel: bytes(8),
  vramMib: small(24),
  computeCapability: small(8),
  region: bytes(2),
  total: resources,
});
export const measurement = z.strictObject({
  absent: z.boolean(),
  downMbps: small(32),
  upMbps: small(32),
  latencyTenthMs: small(32),
  portsReachable: small(16),
  diskFreeGib: small(32),
  diskWriteMibps: small(32),
});
export const leaseFields = { workspaceId: big(64), replica: small(16), lease: small(32), fence: bytes(8) };
