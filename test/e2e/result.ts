import { z } from "zod";

const hash = z.string().regex(/^0x[0-9a-f]{64}$/);
/** Nodes of the claim tree are 160 bits wide. */
const treeRoot = z.string().regex(/^0x[0-9a-f]{40}$/);
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/);
const count = z.number().int().positive();
const amount = z.string().regex(/^[1-9]\d*$/);

/** The exact shape of the last line of `npm start -- --once --json`. */
export const journeySchema = z.strictObject({
  ok: z.literal(true),
  steps: z.array(z.strictObject({ name: z.string(), ms: z.number().int().nonnegative() })),
  node: z.strictObject({ id: count, address }),
  workspace: z.strictObject({
    id: amount,
    image: z.string().regex(/^[^@\s]+@sha256:[0-9a-f]{64}$/),
    containerId: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  measurement: z.strictObject({ id: amount, downMbps: count, upMbps: count, portsReachable: count }),
  task: z.strictObject({
    id: z.uuid(),
    nodeId: count,
    ms: count,
    result: z.object({
      object: z.literal("chat.completion"),
      choices: z
        .array(z.object({ message: z.object({ role: z.literal("assistant"), content: z.string().min(1) }) }))
        .min(1),
      usage: z.object({ completion_tokens: count }),
    }),
  }),
  epoch: z.strictObject({ number: count, root: treeRoot, total: amount }),
  claim: z.strictObject({ wallet: address, amount, txHash: hash }),
});

export const journeySteps = [
  "chain",
  "postgres",
  "redis",
  "docker",
  "contracts",
  "images",
  "database",
  "services",
  "node",
  "measurer",
  "measurement",
  "partner",
  "publish",
  "assign",
  "distribute",
  "run",
  "task",
  "epoch",
  "claim",
  "balance",
  "stop",
];

/** The last line of a failed run. */
export const failureSchema = z.strictObject({
  ok: z.literal(false),
  failedStep: z.string(),
  error: z.string(),
  steps: z.array(z.strictObject({ name: z.string(), ms: z.number() })),
});
