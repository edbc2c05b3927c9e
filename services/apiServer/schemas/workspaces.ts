import {
  assignmentStates,
  desiredStates,
  milestones,
  policies,
  releaseReasons,
} from "@ngpu/contracts-sdk/enumNames";
import { workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { z } from "zod";
import { amount, hexBytes, isoTime, nextPage, text, tier, txHash, uint } from "./common.ts";
import { reason } from "./reasons.ts";

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

const integer = (max: number) => z.number().int().min(0).max(max);
const decimal = (max: number, step: number) =>
  z
    .number()
    .min(0)
    .max(max)
    .refine((n) => Math.abs(n / step - Math.round(n / step)) < 1e-6, `is not a multiple of ${step}`);

export const gpuRequirement = z.strictObject({
  model: text(1, 120).optional().meta({
    description:
      "The GPU's name, as its driver prints it (`NVIDIA H100 80GB HBM3`) or in short (`RTX 4090`, `H100 SXM`), or the model's 8 bytes as hex; default: any",
  }),
  count: integer(255).default(1),
  minVramGib: z.number().min(0).max(16_000).default(0).meta({
    description: "Minimum memory of one GPU by the size it is sold with, GB: 24 accepts each 24 GB card",
  }),
  minVramMib: integer(2 ** 24 - 1)
    .default(0)
    .meta({ description: "Minimum memory of one GPU exactly as its driver reports it, MiB" }),
  minComputeCapability: z
    .string()
    .regex(/^\d{1,2}\.\d$/, "is not a version such as 9.0")
    .refine((text) => Math.round(Number(text) * 10) <= 255, "is above 25.5")
    .optional()
    .meta({ description: "CUDA compute capability", example: "9.0" }),
});

export const newWorkspace = z
  .strictObject({
    authorizationId: z
      .string()
      .regex(/^\d{1,20}$/, { error: "is not an authorization id", abort: true })
      .refine((text) => BigInt(text) < 2n ** 64n, "does not fit in 64 bits")
      .optional()
      .meta({
        description: "Authorization that pays; default: the newest usable one",
      }),
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "is not 1 to 63 of a–z 0–9 . _ -")
      .optional(),
    image: z
      .string()
      .regex(
        /^[a-z0-9][a-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}$/,
        "is not a reference with a digest: name@sha256:…",
      )
      .meta({ example: `docker.io/library/nginx@sha256:${"0".repeat(64)}` }),
    command: workspaceConfig.shape.command,
    env: workspaceConfig.shape.env.meta({
      description: "Public, because it is stored on the chain. Do not put secrets here",
    }),
    ports: workspaceConfig.shape.ports.meta({
      description: "Ports the container listens on; the first one serves tasks",
    }),
    health: workspaceConfig.shape.health,
    placement: workspaceConfig.shape.placement.meta({ description: "Placement preferences beyond the spec" }),
    maxDown: workspaceConfig.shape.maxDown.meta({
      description: "Maximum number of replicas that are down at the same time during an update; default: 1",
    }),
    replicas: z.number().int().min(1).max(1_000).default(1),
    policy: z.enum(policies).default("available").meta({
      description:
        "available: failover within seconds, two copies may overlap; exclusive: never two at the same time",
    }),
    graceSeconds: integer(2 ** 24 - 1)
      .default(60)
      .meta({
        description: "Seconds without contact to the chain after which a node must stop the container",
      }),
    maxPricePerSecond: uint(64, "Maximum price of one replica, token units (1e-18) per second"),
    gpu: gpuRequirement.optional().meta({ description: "Default: no GPU" }),
    cpu: decimal(16_000, 0.001).meta({ description: "Cores of one replica", example: 0.5 }),
    memoryMib: integer(2 ** 24 - 1),
    diskGib: integer(65_535),
    region: z
      .string()
      .regex(/^[A-Z]{2}$/, "is not two uppercase letters")
      .optional()
      .meta({ description: "ISO 3166-1 alpha-2; default: any" }),
    expiresAt: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: "Time at which it closes automatically; default: never" }),
    waitForNodes: z
      .boolean()
      .default(false)
      .meta({ description: "Publish it even if no node can currently run it" }),
  })
  .meta({ id: "NewWorkspace" });

export type NewWorkspace = z.output<typeof newWorkspace>;

const fields = newWorkspace.shape;

/** The fields of a workspace that can change; omitted fields keep their values. */
export const workspaceUpdate = z
  .strictObject({
    image: fields.image.optional(),
    command: fields.command,
    env: fields.env.unwrap().optional(),
    health: z
      .string()
      .regex(/^\/[^\s]*$/)
      .optional(),
    maxDown: workspaceConfig.shape.maxDown.meta({
      description: "Maximum number of replicas that are down at the same time during the update; default: 1",
    }),
    maxPricePerSecond: fields.maxPricePerSecond.optional(),
    replicas: z.number().int().min(1).max(1_000).optional(),
  })
  .refine((update) => Object.keys(update).length > 0, "must change at least one field")
  .meta({ id: "WorkspaceUpdate" });

export type WorkspaceUpdate = z.output<typeof workspaceUpdate>;

export const updateAnswer = z.object({
  id: z.string(),
  updated: txHash
    .nullable()
    .meta({ description: "Transaction of the new spec; null if the spec is unchanged" }),
  scaled: txHash
    .nullable()
    .meta({ description: "Transaction of the new number of replicas; null if it is unchanged" }),
});

export const workspaceStatuses = [
  "pending",
  "distributing",
  "starting",
  "running",
  "stopped",
  "failed",
  "closed",
  "expired",
] as const;

const workspaceHead = {
  id: z.string(),
  name: z.string().nullable(),
  image: z.string(),
  status: z.enum(workspaceStatuses),
  replicas: z.object({ wanted: z.number().int(), running: z.number().int() }),
  tier,
};
export const workspaceEntry = z.object(workspaceHead);
export const workspaceList = z.object({ workspaces: z.array(workspaceEntry), next: nextPage });

export const replicaEntry = z.object({
  replica: z.number().int(),
  reason: reason.nullable().meta({ description: "Why the replica does not run; null: it runs" }),
  lease: z.number().int().nullable().meta({ description: "Null: not assigned yet" }),
  node: z
    .object({ id: z.number().int(), region: z.string().nullable(), gpuName: z.string().nullable() })
    .nullable(),
  state: z.enum(assignmentStates).nullable(),
  desired: z.enum(desiredStates).nullable(),
  releaseReason: z.enum(releaseReasons).nullable(),
  milestone: z.enum(milestones).nullable(),
  percent: z.number().nullable().meta({ description: "Live download progress" }),
  pricePerSecond: amount("Token units per second").nullable(),
  failure: z.string().nullable(),
  endpoints: z.array(z.object({ containerPort: z.number().int(), host: z.string(), port: z.number().int() })),
  placement: z
    .object({
      id: z.string().meta({ description: "Id for `GET /v1/placements/{id}`" }),
      status: z.string(),
      nodeId: z.number().int().nullable(),
      block: z.string().nullable().meta({ description: "Block at which the decision was made" }),
      refusals: z
        .unknown()
        .meta({ description: "Number of nodes rejected by each dimension, and the nearest rejected node" }),
      refusal: z.string().nullable().meta({ description: "Reason why the chain refused the assignment" }),
      requestedAt: isoTime,
    })
    .nullable(),
  tier: tier.nullable(),
});

export const workspaceAnswer = z
  .object({
    ...workspaceHead,
    reason: reason.nullable().meta({ description: "Why no replica runs; null: one runs" }),
    authorizationId: z.string(),
    config: z.unknown(),
    policy: z.enum(policies),
    graceSeconds: z.number().int(),
    maxPricePerSecond: amount("Token units per second"),
    gpu: z.object({
      model: z.string().nullable(),
      count: z.number().int(),
      minVramMib: z.number().int(),
      minComputeCapability: z.number().nullable(),
    }),
    cpu: z.number(),
    memoryMib: z.number().int(),
    diskGib: z.number().int(),
    region: z.string().nullable(),
    expiresAt: isoTime.nullable(),
    published: z.object({ block: z.string(), txHash }),
    replicaList: z.array(replicaEntry),
  })
  .meta({ id: "Workspace" });

export const publishAnswer = z.object({ id: z.string(), txHash, tier, status: z.enum(workspaceStatuses) });
const leaseRef = z.object({ replica: z.number().int(), lease: z.number().int() });
export const orderAnswer = z.object({
  id: z.string(),
  txHash: txHash.nullable(),
  leases: z.array(leaseRef).meta({ description: "Leases the order was applied to" }),
  refusals: z.array(z.object({ replica: z.number().int(), lease: z.number().int(), reason: z.string() })),
});
