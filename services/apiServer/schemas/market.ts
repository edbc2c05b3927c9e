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

export const epochEntry = z
  .object({
    number: z.string(),
    pomc: z.string().meta({ description: "The contract that stores and pays it" }),
    root: z.string(),
    total: amount("Total granted up to this epoch"),
    dataHash: z.string(),
    activatesAt: unixTime,
    disabled: z.boolean(),
    tier,
  })
  .meta({ id: "Epoch" });
export const epochList = z.object({ epochs: z.array(epochEntry), next: nextPage });
export const epochAnswer = epochEntry.extend({
  document: z
    .unknown()
    .meta({ description: "Document the root was computed from; null if it is not stored here" }),
});

const hardwareUnits = (description: string) =>
  z
    .object({
      cpu: z.string().meta({ description: "Thousandths of a core" }),
      gpu: z.string().meta({ description: "MiB of GPU memory" }),
    })
    .meta({ description });

export const rewardExplanation = z
  .object({
    nodeId: z.number().int(),
    epoch: z.number().int(),
    account: z.string().nullable(),
    earned: amount("Earned in the epoch, before the bond"),
    slots: z
      .object({ present: z.number().int(), counted: z.number().int() })
      .meta({ description: "Slots of the epoch in which the node was present, and those that count" }),
    reached: z.boolean().meta({ description: "Whether a valid measurement reached it at a mapped port" }),
    hardware: z.object({
      judged: z.boolean().meta({
        description:
          "False: fewer waves were held since it registered than a proof takes, so it is a newcomer",
      }),
      declared: hardwareUnits("Units that it declared"),
      proven: hardwareUnits("Units that waves proved of them"),
    }),
    shares: z.array(
      z.object({
        class: z.string().meta({ description: "The class of its hardware" }),
        units: z.string().meta({ description: "Its proven units" }),
        unit: z.enum(["millicores", "MiB"]),
        slots: z.number().int(),
        unitSlots: z.string().meta({ description: "units × slots" }),
        classUnitSlots: z.string().meta({ description: "Unit-slots of all nodes of the class" }),
        pot: amount("What the class can grant in the epoch"),
        granted: amount("What the class grants in the epoch"),
        amount: amount("granted × unitSlots ÷ classUnitSlots"),
      }),
    ),
    tasks: z.array(
      z.object({
        workspaceId: z.string(),
        replica: z.number().int(),
        lease: z.number().int(),
        amount: amount("The node's part of the lease's task incentive"),
      }),
    ),
    bond: z
      .object({
        withheld: amount("Withheld of its first rewards so far"),
        days: z.number().int(),
        daysNeeded: z.number().int(),
        served: z.boolean().meta({ description: "It was served, and is returned in this epoch" }),
      })
      .nullable(),
    sentences: z.array(z.string()).meta({ description: "One sentence for each term, with its figures" }),
  })
  .meta({ id: "RewardExplanation" });

const nodeBond = z
  .object({
    nodeId: z.number().int(),
    withheld: amount("Withheld from the node's first rewards"),
    days: z.number().int().meta({ description: "Days of uptime served" }),
    daysNeeded: z
      .number()
      .int()
      .meta({ description: "Days of uptime after which the withheld amount is returned" }),
    returnsAt: unixTime.meta({ description: "Earliest time of return, if every day until then counts" }),
  })
  .meta({ id: "NodeBond" });

const previousReward = z
  .object({
    pomc: z.string().meta({ description: "The contract that pays it" }),
    epoch: z.string().nullable(),
    cumulative: amount("Total granted by this contract up to that epoch"),
    proof: z.string(),
    activatesAt: unixTime.nullable(),
    active: z.boolean(),
    claimed: amount("Amount this contract has paid"),
    claimable: amount("Amount a claim would pay now"),
    pending: amount("Granted by an epoch that is posted and not active yet"),
  })
  .meta({ id: "PreviousReward" });

export const rewardAnswer = z
  .object({
    account: z.string(),
    pomc: z.string().meta({ description: "The contract that pays it" }),
    epoch: z.string().nullable().meta({
      description: "The newest active epoch with a leaf for the account, else the newest posted one",
    }),
    cumulative: amount("Total granted up to that epoch; argument of the claim"),
    proof: z.string(),
    activatesAt: unixTime.nullable(),
    active: z.boolean(),
    claimed: amount("Amount claimed so far"),
    claimable: amount(
      "Amount a claim would pay now; a very large one is paid in part, and a repeat pays the rest",
    ),
    pending: amount("Granted by an epoch that is posted and not active yet"),
    earned: amount("Total granted by this contract, active or not, and the withheld amount"),
    withheld: amount("Total of the bonds still withheld from its nodes"),
    previous: z.array(previousReward).meta({
      description:
        "Rewards that replaced contracts still owe, oldest first; claim each from its own contract",
    }),
    bonds: z.array(nodeBond).meta({ description: "Nodes of the account whose bond is still withheld" }),
  })
  .meta({ id: "Reward" });
