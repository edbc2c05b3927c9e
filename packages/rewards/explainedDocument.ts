import { z } from "zod";

const units = z.coerce.bigint();
const hardwareUnits = z.object({ cpu: units, gpu: units });
/** Documents of earlier versions do not state what was proven. */
const unstated = { cpu: 0n, gpu: 0n };

/** The parts of an epoch's document that explain a node's reward, as stored in JSON. */
export const explainedDocument = z.object({
  number: z.number(),
  emission: units,
  terms: z.object({
    measurerBasisPoints: z.number(),
    taskBasisPoints: z.number(),
    nodeTaskBasisPoints: z.number(),
    classes: z.array(z.object({ weight: units, rate: units, ceiling: units })),
  }),
  nodes: z.array(
    z.object({
      nodeId: z.number(),
      account: z.string(),
      reached: z.boolean(),
      present: z.number(),
      counted: z.number(),
      judged: z.boolean().default(true),
      declared: hardwareUnits.default(unstated),
      proven: hardwareUnits.default(unstated),
    }),
  ),
  classes: z.array(z.object({ class: z.number(), pot: units, weight: units, granted: units })),
  shares: z.array(
    z.object({ nodeId: z.number(), class: z.number(), units, slots: z.number(), amount: units }),
  ),
  tasks: z.array(
    z.object({
      workspaceId: units,
      replica: z.number(),
      lease: z.number(),
      nodeId: z.number(),
      feeBasisPoints: z.number(),
      incentive: units,
      nodeAmount: units,
    }),
  ),
  bonds: z.array(
    z.object({
      nodeId: z.number(),
      withheld: units,
      highest: units,
      days: z.number(),
      servedIn: z.number().nullable(),
    }),
  ),
  bond: z.object({ amount: units, epochs: z.number(), days: z.number() }),
});

export type ExplainedDocument = z.infer<typeof explainedDocument>;
