import { nodeStatuses } from "@ngpu/contracts-sdk/names";
import { z } from "zod";
import { amount, isoTime, nextPage, tier, unixTime } from "./common.ts";

export const networkAnswer = z
  .object({
    chainId: z.number().int(),
    rpcUrls: z.array(z.string()),
    deployment: z.unknown().meta({ description: "The contracts' addresses and the market's periods" }),
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
    status: z.enum(["requested", "committed", "submitted", "finalized"]),
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
  wallet: z.string().nullable().meta({ description: "Null: the node's own address" }),
  status: z.enum(nodeStatuses),
  region: z.string().nullable(),
  gpu: z.object({
    name: z.string().nullable(),
    model: z.string().nullable(),
    count: z.number().int(),
    vramMib: z.number().int(),
    computeCapability: z.number(),
  }),
  total: resources,
  free: resources.meta({ description: "What is not reserved" }),
  pricePerSecond: amount("Token units a second"),
  connected: z.boolean().meta({ description: "Whether it holds a tunnel to a gateway now" }),
  tier,
};
export const nodeEntry = z.object(nodeHead).meta({ id: "Node" });
export const nodeList = z.object({ nodes: z.array(nodeEntry), next: nextPage });
export const nodeAnswer = z.object({
  ...nodeHead,
  registeredBlock: z.string(),
  measurement: measurementEntry.nullable().meta({ description: "The last one finalized" }),
  uptime: z.object({
    slots: z.number().int().meta({ description: "Newest heartbeat slots looked at, since its registration" }),
    present: z
      .number()
      .int()
      .meta({ description: "Of these, those that were committed or disputed, and not challenged" }),
    share: z.number().nullable(),
  }),
  session: z
    .object({
      instance: z.string(),
      connectedAt: isoTime,
      lastSeenAt: isoTime,
      cpuLoad: z.number().nullable(),
      freeDiskGib: z.number().nullable(),
      running: z.number().int().meta({ description: "Containers it says it runs" }),
    })
    .nullable(),
});

export const epochEntry = z
  .object({
    number: z.string(),
    pomc: z.string().meta({ description: "The contract it was posted to, which pays it" }),
    root: z.string(),
    total: amount("Everything ever granted up to it"),
    dataHash: z.string(),
    activatesAt: unixTime,
    disabled: z.boolean(),
    tier,
  })
  .meta({ id: "Epoch" });
export const epochList = z.object({ epochs: z.array(epochEntry), next: nextPage });
export const epochAnswer = epochEntry.extend({
  document: z.unknown().meta({ description: "What the root was computed from; null when not kept here" }),
});

const nodeBond = z
  .object({
    nodeId: z.number().int(),
    withheld: amount("Of the node's first rewards"),
    days: z.number().int().meta({ description: "Days of uptime it served" }),
    daysNeeded: z.number().int().meta({ description: "Days after which all that is withheld is returned" }),
    returnsAt: unixTime.meta({ description: "The earliest time, if it serves every day from now on" }),
  })
  .meta({ id: "NodeBond" });

const formerReward = z
  .object({
    pomc: z.string().meta({ description: "The contract that pays it" }),
    epoch: z.string().nullable(),
    cumulative: amount("Everything this contract granted up to that epoch"),
    proof: z.string(),
    activatesAt: unixTime.nullable(),
    active: z.boolean(),
    claimed: amount("What this contract has paid"),
    claimable: amount("What a claim there would pay now"),
    pending: amount("Granted there by an epoch that is posted and not active yet"),
  })
  .meta({ id: "FormerReward" });

export const rewardAnswer = z
  .object({
    account: z.string(),
    pomc: z.string().meta({ description: "The contract that pays it" }),
    epoch: z
      .string()
      .nullable()
      .meta({ description: "The newest active epoch with a leaf for it, else the newest posted" }),
    cumulative: amount("Everything granted up to that epoch: what the claim takes"),
    proof: z.string(),
    activatesAt: unixTime.nullable(),
    active: z.boolean(),
    claimed: amount("What it has had"),
    claimable: amount("What a claim would pay now"),
    pending: amount("Granted by an epoch that is posted and not active yet"),
    earned: amount("Everything this contract granted, active or not, and what is withheld"),
    withheld: amount("Bonds of its nodes that are not served yet"),
    former: z.array(formerReward).meta({
      description:
        "What contracts that were replaced still owe the account, oldest first: each is claimed there",
    }),
    bonds: z.array(nodeBond).meta({ description: "Its nodes whose bond is not served yet" }),
  })
  .meta({ id: "Reward" });
