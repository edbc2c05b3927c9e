import { z } from "zod";
import { placementPreferences } from "./preferences.ts";

/**
 * Explains where a workspace could be placed if it were published now: the request of apiServer to match, and the
 * response. Units are those of the spec on the chain.
 */

const count = z
  .number()
  .int()
  .min(0)
  .max(2 ** 32 - 1);

export const explanationRequest = z.strictObject({
  /** Digest, 32 bytes in hexadecimal. */
  image: z.string().regex(/^0x[0-9a-f]{64}$/),
  replicas: z.number().int().min(1).max(1_000),
  /** 8 bytes in hexadecimal. Null: any. */
  gpuModel: z
    .string()
    .regex(/^0x[0-9a-f]{16}$/)
    .nullable(),
  minVramMib: count,
  minComputeCapability: count,
  region: z.string().nullable(),
  wanted: z.strictObject({ gpus: count, cpuMilli: count, memoryMib: count, diskGib: count, ports: count }),
  maxPricePerSecond: z
    .string()
    .regex(/^\d{1,20}$/)
    .transform(BigInt),
  preferences: placementPreferences,
});

export type ExplanationRequest = z.input<typeof explanationRequest>;

const amount = (description: string) => z.string().meta({ description });
const nodeAtPrice = z.object({ nodeId: z.number().int(), pricePerSecond: amount("Token units per second") });

/** The response of match. apiServer returns it to the partner unchanged. */
export const placementExplanation = z
  .object({
    block: z.object({ number: z.string(), hash: z.string() }).meta({ description: "Block of the decision" }),
    nodes: z.number().int().meta({ description: "Nodes of the market" }),
    fitting: z.number().int().meta({ description: "Nodes that could run a replica now" }),
    placeable: z.number().int().meta({ description: "Number of replicas that could be placed now" }),
    possible: z.boolean().meta({
      description:
        "Whether any node could run a replica if it were online and empty; also true while there are no nodes",
    }),
    chosen: nodeAtPrice.nullable().meta({ description: "Node of the first replica" }),
    refused: z.record(z.string(), z.number().int()).meta({
      description: "Rejected nodes by the first dimension that rejects them; each node counts once",
    }),
    nearest: z
      .object({
        nodeId: z.number().int(),
        rejections: z.array(
          z.object({ dimension: z.string(), wanted: z.string(), has: z.string(), shortfall: z.number() }),
        ),
      })
      .nullable()
      .meta({ description: "The rejected node that is closest to fitting, with its rejections" }),
    cheapest: nodeAtPrice
      .nullable()
      .meta({ description: "The cheapest node that fits except for its price" }),
    lowestPrice: amount(
      "Where no node could run a replica at the maximum price: the lowest price of those that could at another, token units per second",
    )
      .nullable()
      .optional(),
    gpuSuggestions: z.array(z.string()).optional().meta({
      description: "Names of the market's GPUs that are similar to `gpu.model`, where no node has that model",
    }),
    messages: z.array(z.string()).meta({ description: "The explanation in sentences" }),
  })
  .meta({ id: "PlacementExplanation" });

export type PlacementExplanation = z.output<typeof placementExplanation>;
