import { z } from "zod";

/** A placement as anyone may read it: what was asked, what was answered, and the block that the answer rests on. */
export const placementAnswer = z
  .object({
    id: z.uuid(),
    workspaceId: z.string(),
    replica: z.number().int(),
    status: z.enum(["asked", "answered", "impossible", "used", "refused"]),
    block: z
      .object({ number: z.string(), hash: z.string() })
      .nullable()
      .meta({ description: "What the decision rests on; null: not decided yet" }),
    place: z.number().int().nullable().meta({
      description: "Its place among the answers for this workspace at this block, from 0",
    }),
    excluded: z.array(z.number().int()).meta({ description: "Nodes that were left out from the start" }),
    nodeId: z.number().int().nullable().meta({ description: "The node that was chosen" }),
    ranking: z.array(z.unknown()).meta({ description: "The nodes that came first, and by what" }),
    refusals: z
      .object({ counts: z.unknown(), nearest: z.unknown() })
      .nullable()
      .meta({ description: "How many nodes were refused by each dimension, and the nearest miss" }),
    refusal: z.string().nullable().meta({ description: "Why the chain refused it" }),
    assignTx: z.string().nullable().meta({ description: "The transaction that assigned it" }),
    askedAt: z.string().meta({ description: "Time, ISO 8601" }),
    answeredAt: z.string().nullable().meta({ description: "Time, ISO 8601" }),
  })
  .meta({ id: "Placement" });

export type PlacementAnswer = z.output<typeof placementAnswer>;
