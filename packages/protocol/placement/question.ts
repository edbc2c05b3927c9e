import { z } from "zod";
import { placementWishes } from "./wishes.ts";

/** What apiServer asks match: where a workspace could go, were it published now. Units as in the spec on the chain. */

const count = z
  .number()
  .int()
  .min(0)
  .max(2 ** 32 - 1);

export const placementQuestion = z.strictObject({
  /** Digest, 32 bytes of hex. */
  image: z.string().regex(/^0x[0-9a-f]{64}$/),
  replicas: z.number().int().min(1).max(1_000),
  /** 8 bytes of hex; null: any. */
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
  wishes: placementWishes,
});

export type PlacementQuestion = z.input<typeof placementQuestion>;

const amount = (description: string) => z.string().meta({ description });
const nodeAtPrice = z.object({ nodeId: z.number().int(), pricePerSecond: amount("Token units a second") });

/** What match answers; the partner sees it as it is. */
export const placementExplanation = z
  .object({
    block: z
      .object({ number: z.string(), hash: z.string() })
      .meta({ description: "What the answer rests on" }),
    nodes: z.number().int().meta({ description: "Nodes of the market" }),
    fitting: z.number().int().meta({ description: "Nodes that could take a replica now" }),
    placeable: z.number().int().meta({ description: "How many of the replicas would find a node now" }),
    possible: z.boolean().meta({
      description:
        "Whether a node could take a replica were it online and empty; true too while there are no nodes",
    }),
    chosen: nodeAtPrice.nullable().meta({ description: "Where the first replica would go" }),
    refused: z.record(z.string(), z.number().int()).meta({
      description: "Refused nodes by the first dimension that refuses them: each node counts once",
    }),
    nearest: z
      .object({
        nodeId: z.number().int(),
        misses: z.array(
          z.object({ dimension: z.string(), wanted: z.string(), has: z.string(), shortfall: z.number() }),
        ),
      })
      .nullable()
      .meta({ description: "The refused node that lacks the least, and all that it lacks" }),
    cheapest: nodeAtPrice
      .nullable()
      .meta({ description: "The cheapest node that fits in all but the price" }),
    words: z.array(z.string()).meta({ description: "The same in sentences" }),
  })
  .meta({ id: "PlacementExplanation" });

export type PlacementExplanation = z.output<typeof placementExplanation>;
