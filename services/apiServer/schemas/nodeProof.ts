import { z } from "zod";

const count = z.number().int();
const digits = (description: string) => z.string().regex(/^\d+$/).meta({ description });
const root = z.string().nullable();

const figures = z.object({
  bytes: digits("Memory"),
  bytesPerSecond: digits("Random reads of 64 bytes, in bytes a second"),
  operationsPerSecond: digits("32-bit operations a second"),
});

const device = z.object({
  device: count.meta({ description: "Place in the node's list, from 0" }),
  hardware: z.object({
    kind: z.enum(["cpu", "gpu"]),
    cores: count.nullable(),
    model: z.string().nullable().meta({ description: "Null: a CPU, or a model without published figures" }),
  }),
  claimed: figures,
  counts: figures
    .nullable()
    .meta({ description: "Medians of its last waves, at most the claim; null: it passed too few of them" }),
  passed: count.meta({ description: "Waves of those that count that it passed" }),
  waves: count.meta({ description: "Waves that count" }),
});

const wave = z.object({
  waveId: count,
  block: z.string().meta({ description: "The block that began it" }),
  blockHash: z.string(),
  held: z.boolean().meta({ description: "Whether it has a verdict; otherwise it counts for no node" }),
  reason: z.enum(["measurers_missing", "loss", "nothing_claimed"]).nullable(),
  devices: z.array(
    z.object({
      device: count,
      outcome: z.enum(["passed", "failed", "kept", "undecided"]).meta({
        description:
          "kept: a tenant had the node and it did not answer, so its last proof is kept. undecided: measurers differ about whether it passed, so the wave does not count for it",
      }),
      proven: figures,
      contested: z.boolean().meta({ description: "Measurers differ: the transcript of the device decides" }),
      measurers: z.array(count).meta({ description: "Ids of the measurers whose statements count" }),
    }),
  ),
  measurers: z
    .array(
      z.object({
        measurerId: count,
        chaseRoot: root,
        answersRoot: root,
        resultsRoot: z.string().meta({ description: "Root over the result of each device" }),
        transcriptsRoot: z.string().meta({ description: "Root over the hash of each transcript" }),
      }),
    )
    .meta({ description: "What measurers committed to: the evidence, by hash" }),
  withheld: z
    .array(count)
    .meta({ description: "Measurers that committed to results and did not reveal them" }),
});

export const nodeProof = z
  .object({
    nodeId: count,
    claimedBlock: z.string().nullable().meta({ description: "Null: the node claims nothing" }),
    devices: z.array(device),
    waves: z.array(wave).meta({ description: "The last waves, newest first" }),
  })
  .meta({ id: "NodeProof" });

export type NodeProof = z.infer<typeof nodeProof>;
export type Figures = z.infer<typeof figures>;
