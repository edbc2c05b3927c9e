import {
  assignmentStates,
  desiredStates,
  milestones,
  policies,
  releaseReasons,
} from "@ngpu/contracts-sdk/names";
import { workspaceConfig } from "@ngpu/protocol/workspaceConfig";
import { z } from "zod";
import { amount, hexBytes, isoTime, nextPage, tier, txHash, uint } from "./common.ts";

export const newImage = z.strictObject({
  digest: z
    .string()
    .regex(/^(sha256:|0x)[0-9a-fA-F]{64}$/, "is not a sha256 digest")
    .transform((text) => `0x${text.slice(-64).toLowerCase()}` as const)
    .meta({ description: "sha256 of the image's manifest" }),
  sizeBytes: z
    .union([z.number().int().positive(), z.string().regex(/^[1-9]\d{0,18}$/)])
    .transform((size) => BigInt(size)),
  chunkRoot: hexBytes(32, "Root over the image's chunks; zero when there is none").default(
    `0x${"0".repeat(64)}`,
  ),
  reference: workspaceConfig.shape.image.meta({ description: "Where a registry serves it, without digest" }),
});
export const imageEntry = z.object({
  digest: z.string(),
  owner: z.string(),
  sizeBytes: z.string(),
  chunkRoot: z.string(),
  reference: z.string(),
  tier,
});
export const imageList = z.object({ images: z.array(imageEntry), next: nextPage });
export const imageAnswer = z.object({ digest: z.string(), reference: z.string(), txHash: txHash.nullable() });

const whole = (max: number) => z.number().int().min(0).max(max);
const decimal = (max: number, step: number) =>
  z
    .number()
    .min(0)
    .max(max)
    .refine((n) => Math.abs(n / step - Math.round(n / step)) < 1e-6, `is not a multiple of ${step}`);

export const gpuWish = z.strictObject({
  model: z.string().min(1).max(120).optional().meta({
    description:
      "The GPU's name as its driver prints it (`NVIDIA H100 80GB HBM3`), or its 8 bytes of hex; any when left out",
  }),
  count: whole(255).default(1),
  minVramGib: decimal(16_000, 1 / 1024)
    .default(0)
    .meta({ description: "Memory of one GPU, GiB" }),
  minComputeCapability: z
    .string()
    .regex(/^\d{1,2}\.\d$/, "is not like 9.0")
    .refine((text) => Math.round(Number(text) * 10) <= 255, "is above 25.5")
    .optional()
    .meta({ description: "CUDA compute capability", example: "9.0" }),
});

export const newWorkspace = z
  .strictObject({
    authorizationId: z
      .string()
      .regex(/^\d{1,20}$/)
      .optional()
      .meta({
        description: "Which authorization pays; the newest usable one when left out",
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
    env: workspaceConfig.shape.env.meta({ description: "Public: it stands on the chain. No secrets" }),
    ports: workspaceConfig.shape.ports.meta({
      description: "Ports the container listens on; the first one serves tasks",
    }),
    health: workspaceConfig.shape.health,
    placement: workspaceConfig.shape.placement.meta({ description: "What else its nodes must have" }),
    maxDown: workspaceConfig.shape.maxDown.meta({
      description: "Replicas that may be down at once while an update replaces them; 1 when left out",
    }),
    replicas: z.number().int().min(1).max(1_000).default(1),
    policy: z.enum(policies).default("available").meta({
      description: "available: failover within seconds, two may overlap; exclusive: never two at once",
    }),
    graceSeconds: whole(2 ** 24 - 1)
      .default(60)
      .meta({
        description: "Seconds without a sight of the chain after which a node must stop by itself",
      }),
    maxPricePerSecond: uint(64, "Highest price of one replica, token units (1e-18) a second"),
    gpu: gpuWish.optional().meta({ description: "None when left out" }),
    cpu: decimal(16_000, 0.001).meta({ description: "Cores of one replica", example: 0.5 }),
    memoryMib: whole(2 ** 24 - 1),
    diskGib: whole(65_535),
    region: z
      .string()
      .regex(/^[A-Z]{2}$/, "is not two capital letters")
      .optional()
      .meta({ description: "ISO 3166-1 alpha-2; any when left out" }),
    expiresAt: z.iso
      .datetime({ offset: true })
      .optional()
      .meta({ description: "When it ends by itself; never when left out" }),
    waitForNodes: z
      .boolean()
      .default(false)
      .meta({ description: "Publish it though no node of the market could take it as they are now" }),
  })
  .meta({ id: "NewWorkspace" });

export type NewWorkspace = z.output<typeof newWorkspace>;

const fields = newWorkspace.shape;

/** What may change of a workspace; what is left out stays. */
export const workspaceUpdate = z
  .strictObject({
    image: fields.image.optional(),
    command: fields.command,
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(4096)).optional(),
    health: z
      .string()
      .regex(/^\/[^\s]*$/)
      .optional(),
    maxDown: workspaceConfig.shape.maxDown.meta({
      description: "Replicas that may be down at once while they are replaced; 1 unless set",
    }),
    maxPricePerSecond: fields.maxPricePerSecond.optional(),
    replicas: z.number().int().min(1).max(1_000).optional(),
  })
  .refine((wish) => Object.keys(wish).length > 0, "names nothing to change")
  .meta({ id: "WorkspaceUpdate" });

export type WorkspaceUpdate = z.output<typeof workspaceUpdate>;

export const updateAnswer = z.object({
  id: z.string(),
  updated: txHash
    .nullable()
    .meta({ description: "Transaction of the new spec; null: nothing of it changed" }),
  scaled: txHash
    .nullable()
    .meta({ description: "Transaction of the new number of replicas; null: it is the same" }),
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
  lease: z.number().int().nullable().meta({ description: "Null: no node yet" }),
  node: z
    .object({ id: z.number().int(), region: z.string().nullable(), gpuName: z.string().nullable() })
    .nullable(),
  state: z.enum(assignmentStates).nullable(),
  desired: z.enum(desiredStates).nullable(),
  releaseReason: z.enum(releaseReasons).nullable(),
  milestone: z.enum(milestones).nullable(),
  percent: z.number().nullable().meta({ description: "Of the download, live" }),
  pricePerSecond: amount("Token units a second").nullable(),
  failure: z.string().nullable(),
  endpoints: z.array(z.object({ containerPort: z.number().int(), host: z.string(), port: z.number().int() })),
  placement: z
    .object({
      id: z.string().meta({ description: "What `GET /v1/placements/{id}` tells all of" }),
      status: z.string(),
      nodeId: z.number().int().nullable(),
      block: z.string().nullable().meta({ description: "The block that the decision rests on" }),
      refusals: z.unknown().meta({ description: "Why other nodes did not fit" }),
      refusal: z.string().nullable().meta({ description: "Why the chain refused it" }),
      askedAt: isoTime,
    })
    .nullable(),
  tier: tier.nullable(),
});

export const workspaceAnswer = z
  .object({
    ...workspaceHead,
    authorizationId: z.string(),
    config: z.unknown(),
    policy: z.enum(policies),
    graceSeconds: z.number().int(),
    maxPricePerSecond: amount("Token units a second"),
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
  leases: z.array(leaseRef).meta({ description: "Leases the order went to" }),
  refusals: z.array(z.object({ replica: z.number().int(), lease: z.number().int(), reason: z.string() })),
});
