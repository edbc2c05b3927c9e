import {
  assignmentStates,
  desiredStates,
  milestones,
  policies,
  releaseReasons,
} from "@ngpu/contracts-sdk/enumNames";
import { scaling } from "@ngpu/protocol/scaling";
import { z } from "zod";
import { amount, isoTime, nextPage, tier, txHash } from "./common.ts";
import { reason } from "./reasons.ts";

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
  "idle",
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
    scaling: z
      .object({
        ...scaling.shape,
        replicas: z
          .number()
          .int()
          .nullable()
          .meta({ description: "Replicas that take requests while others leave; null: all" }),
        refusal: z.string().nullable().meta({
          description:
            "Code of the error that the last change of the number of replicas ended with; null: none did",
        }),
      })
      .nullable()
      .meta({ description: "How the number of replicas follows the requests; null: it is fixed" }),
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
