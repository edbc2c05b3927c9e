import { z } from "zod";
import { amount, nextPage, tier, unixTime } from "./common.ts";

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
