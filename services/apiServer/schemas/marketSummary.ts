import { z } from "zod";
import { amount, isoTime, tier, unixTime } from "./common.ts";
import { measurementEntry } from "./market.ts";

const count = z.number().int();
const share = z.object({ total: count, free: count.meta({ description: "Not reserved, on online nodes" }) });

const gpuModel = z.object({
  name: z.string().nullable().meta({ description: "As the driver prints it; null: nodes without a GPU" }),
  vramMib: count.meta({ description: "Smallest memory of one GPU among its nodes" }),
  nodes: count,
  online: count,
  gpus: count,
  freeGpus: count.meta({ description: "Not reserved, on online nodes" }),
  lowestPrice: amount("Lowest price of its online nodes, token units per second").nullable(),
  medianPrice: amount("Median price of its online nodes, token units per second").nullable(),
});

const presenceSlot = z.object({
  slot: count,
  startsAt: unixTime,
  listed: count.meta({ description: "Nodes that the slot's commit covers" }),
  present: count,
});

export const marketSummary = z
  .object({
    nodes: z.object({
      total: count,
      online: count,
      maintenance: count,
      offline: count,
      connected: count.meta({ description: "Nodes with an open tunnel to a gateway" }),
      measured: count.meta({ description: "Nodes with a measurement that has not expired" }),
    }),
    gpus: share,
    cpu: z.object({ total: z.number(), free: z.number() }).meta({ description: "Cores" }),
    memoryMib: share,
    workspaces: z.object({ open: count, replicas: count, running: count }),
    models: z.array(gpuModel).meta({ description: "By GPU, those of most nodes first; at most 100" }),
    regions: z
      .array(z.object({ region: z.string().nullable(), nodes: count, online: count }))
      .meta({ description: "By region, those of most nodes first; at most 250" }),
    presence: z
      .array(presenceSlot)
      .meta({ description: "The newest committed heartbeat slots, oldest first; at most 120" }),
    granted: amount("Total that the newest epoch's contract has granted"),
    heads: z
      .array(z.object({ tier, block: z.string(), time: isoTime }))
      .meta({ description: "Newest exported block of each tier" }),
    periods: z.object({ slotSeconds: count, epochSeconds: count, genesis: unixTime }),
  })
  .meta({ id: "Market" });

export const nodeSlots = z
  .object({
    nodeId: count,
    firstSlot: count,
    slotSeconds: count.meta({ description: "Slot n begins at Unix time n × slotSeconds" }),
    slots: z.string().meta({
      description:
        "One character for each slot, oldest first: 1 present, 0 absent, - no record of the node in the slot",
      example: "--1111011",
    }),
  })
  .meta({ id: "NodeSlots" });

export const slotsQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_440)
    .default(360)
    .meta({ description: "Number of newest slots" }),
});

export const leasesQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50).meta({
    description: "Maximum number of entries in the response",
  }),
  after: z
    .string()
    .regex(/^\d{1,18}\.\d{1,18}\.\d{1,9}\.\d{1,9}$/, "is not a place in the list")
    .optional()
    .meta({ description: "Return entries after this one (`next` of the previous page)" }),
});

export const measurementList = z.object({
  measurements: z.array(measurementEntry),
  next: z
    .string()
    .nullable()
    .meta({ description: "Value of `after` for the next page; null: this is the last page" }),
});

const placementEntry = z
  .object({
    id: z.string(),
    workspaceId: z.string(),
    replica: count,
    status: z.enum(["requested", "answered", "impossible", "used", "refused"]),
    nodeId: count.nullable(),
    block: z.string().nullable(),
    answeredAt: isoTime,
  })
  .meta({ id: "PlacementEntry" });
export const placementList = z.object({
  placements: z.array(placementEntry),
  next: z
    .string()
    .nullable()
    .meta({ description: "Value of `after` for the next page; null: this is the last page" }),
});
export const placementsQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50).meta({
    description: "Maximum number of entries in the response",
  }),
  after: z
    .string()
    .regex(/^\d{1,18}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "is not a place in the list")
    .optional()
    .meta({ description: "Return entries after this one (`next` of the previous page)" }),
});
