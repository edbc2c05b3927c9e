import { codeOf, type Policy, policies } from "@ngpu/contracts-sdk/enumNames";
import type { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { type ContractFunctionArgs, type Hex, pad, stringToHex } from "viem";

/** DockerContract's WorkspaceSpec, as passed to calls. */
export type WorkspaceSpec = ContractFunctionArgs<typeof dockerContractAbi, "nonpayable", "publish">[3];

/** The columns of chain.workspace that make up the spec. */
export const workspaceSpecColumns =
  "image, policy, grace_seconds, max_price_per_second, gpu_model, min_vram_mib, min_compute_capability, region, " +
  "gpus, cpu_milli, memory_mib, disk_gib, ports, expires_at, config_hash";

export type WorkspaceSpecRow = {
  image: string;
  policy: Policy;
  grace_seconds: number | bigint;
  max_price_per_second: bigint;
  /** Null or zero: any. */
  gpu_model: string | null;
  min_vram_mib: number | bigint;
  min_compute_capability: number | bigint;
  /** Two letters. Null: any. */
  region: string | null;
  gpus: number | bigint;
  cpu_milli: number | bigint;
  memory_mib: number | bigint;
  disk_gib: number | bigint;
  ports: number | bigint;
  expires_at: number | bigint;
  config_hash: string;
};

/** The spec that a workspace was published with. Calls pass it again, because the contract stores only its hash. */
export function workspaceSpecOf(row: WorkspaceSpecRow): WorkspaceSpec {
  return {
    image: row.image as Hex,
    policy: codeOf(policies, row.policy),
    graceSeconds: Number(row.grace_seconds),
    maxPricePerSecond: row.max_price_per_second,
    gpuModel: (row.gpu_model ?? pad("0x", { size: 8 })) as Hex,
    minVramMib: Number(row.min_vram_mib),
    minComputeCapability: Number(row.min_compute_capability),
    region: regionBytes(row.region),
    resources: {
      gpus: Number(row.gpus),
      cpuMilli: Number(row.cpu_milli),
      memoryMib: Number(row.memory_mib),
      diskGib: Number(row.disk_gib),
      ports: Number(row.ports),
    },
    expiresAt: Number(row.expires_at),
    configHash: row.config_hash as Hex,
  };
}

/** A region as bytes2: two ASCII letters, or zero for any region. */
export function regionBytes(region: string | null): Hex {
  if (region === null || region === "") return "0x0000";
  return region.startsWith("0x") ? (region as Hex) : stringToHex(region, { size: 2 });
}
