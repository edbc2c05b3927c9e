import { z } from "zod";

/** The public record of a placement: the request, the decision, and the block of the decision. */
export const placementRecord = z
  .object({
    id: z.uuid(),
    workspaceId: z.string(),
    replica: z.number().int(),
    status: z.enum(["requested", "answered", "impossible", "used", "refused"]),
    block: z
      .object({ number: z.string(), hash: z.string() })
      .nullable()
      .meta({ description: "Block of the decision; null: not decided yet" }),
    position: z.number().int().nullable().meta({
      description: "Position among the decisions for this workspace at this block, from 0",
    }),
    excluded: z.array(z.number().int()).meta({ description: "Nodes excluded by the request" }),
    nodeId: z.number().int().nullable().meta({ description: "Chosen node" }),
    ranking: z.array(z.unknown()).meta({ description: "The best nodes with their ranking criteria" }),
    refusals: z
      .object({ counts: z.unknown(), nearest: z.unknown() })
      .nullable()
      .meta({ description: "Number of nodes rejected by each dimension, and the nearest rejected node" }),
    refusal: z.string().nullable().meta({ description: "Reason of the chain's refusal" }),
    assignTx: z.string().nullable().meta({ description: "Transaction of the assignment" }),
    requestedAt: z.string().meta({ description: "Time, ISO 8601" }),
    answeredAt: z.string().nullable().meta({ description: "Time, ISO 8601" }),
  })
  .meta({ id: "Placement" });

export type PlacementRecord = z.output<typeof placementRecord>;
