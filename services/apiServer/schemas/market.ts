import { assignmentStates, desiredStates, nodeStatuses, releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import { z } from "zod";
import { address, amount, isoTime, nextPage, page, tier, unixTime } from "./common.ts";

export const networkAnswer = z
  .object({
    chainId: z.number().int(),
    rpcUrls: z.array(z.string()),
    deployment: z.unknown().meta({ description: "Contract addresses and parameters of the market" }),
    matchUrls: z.array(z.string()),
    gatewayUrls: z.array(z.string()),
    probeImage: z.string(),
    apiVersion: z.string(),
  })
  .meta({ id: "Network" });

const resources = z.object({
  gpus: z.number().int(),
  cpu: z.number().meta({ description: "Cores" }),
  memoryMib: z.number().int(),
  diskGib: z.number().int(),
  ports: z.number().int(),
});

export const measurementEntry = z
  .object({
    id: z.string(),
    nodeId: z.number().int(),
    status: z.enum(["requested", "submitted", "finalized", "failed"]),
    opensAt: unixTime,
    closesAt: unixTime,
    submissions: z.number().int(),
    downMbps: z.number().int().nullable(),
    upMbps: z.number().int().nullable(),
    latencyMs: z.number().nullable(),
    portsReachable: z.number().int().nullable(),
    diskFreeGib: z.number().int().nullable(),
    diskWriteMibps: z.number().int().nullable(),
    expiresAt: unixTime.nullable(),
    tier,
  })
  .meta({ id: "Measurement" });

const nodeHead = {
  id: z.number().int(),
  key: z.string(),
  wallet: z.string().nullable().meta({ description: "Null: rewards go to the address of the node key" }),
  nominatedWallet: z
    .string()
    .nullable()
    .meta({ description: "The wallet that the node asks for and that has not accepted it" }),
  status: z.enum(nodeStatuses),
  region: z.string().nullable(),
  gpu: z.object({
    name: z.string().nullable(),
    model: z.string().nullable(),
    count: z.number().int(),
    vramMib: z.number().int(),
    computeCapability: z.number(),
    sharedWith: z
      .array(z.number().int())
      .meta({ description: "Ids of other nodes that name one of its GPUs; at most 100" }),
  }),
  total: resources,
  free: resources.meta({ description: "Capacity that is not reserved" }),
  pricePerSecond: amount("Token units per second"),
  connected: z.boolean().meta({ description: "Whether the node has an open tunnel to a gateway" }),
  tier,
};
export const nodeEntry = z.object(nodeHead).meta({ id: "Node" });
export const nodeList = z.object({ nodes: z.array(nodeEntry), next: nextPage });
export const nodesQuery = page.extend({
  wallet: address
    .optional()
    .meta({ description: "Only nodes of this wallet, and those that ask for it; default: all" }),
});
export const nodeLease = z
  .object({
    workspaceId: z.string(),
    replica: z.number().int(),
    lease: z.number().int(),
    state: z.enum(assignmentStates),
    desired: z.enum(desiredStates),
    releaseReason: z.enum(releaseReasons).nullable().meta({ description: "Why it ended; null: it is open" }),
    pricePerSecond: amount("Token units per second"),
    assignedBlock: z.string(),
    tier,
  })
  .meta({ id: "NodeLease" });
export const nodeLeases = z.object({ leases: z.array(nodeLease), next: nextPage });
export const nodeAnswer = z.object({
  ...nodeHead,
  registeredBlock: z.string(),
  measurement: measurementEntry.nullable().meta({ description: "The latest finalized measurement" }),
  uptime: z.object({
    slots: z
      .number()
      .int()
      .meta({ description: "Number of heartbeat slots considered: the newest ones since its registration" }),
    present: z.number().int().meta({
      description: "Slots in which the node was present: committed or disputed, and not challenged",
    }),
    share: z.number().nullable(),
  }),
  session: z
    .object({
      instance: z.string(),
      connectedAt: isoTime,
      lastSeenAt: isoTime,
      cpuLoad: z.number().nullable(),
      freeDiskGib: z.number().nullable(),
      running: z.number().int().meta({ description: "Running containers, as reported by the node" }),
      sickGpus: z
        .array(
          z.object({
            code: z.string().meta({ description: "Why the card is not offered, such as gpu_lost" }),
            id: z.string().meta({ description: "UUID or bus address of the card, or its driver's tool" }),
            name: z.string().nullable(),
            detail: z.string().meta({ description: "What the driver printed" }),
          }),
        )
        .meta({ description: "Cards that the node has and does not offer, as reported by the node" }),
    })
    .nullable(),
});
