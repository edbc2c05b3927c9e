import { z } from "zod";

/*
 * The messages between a prover's process and the program that started it: lines of JSON, one answer to each request.
 * Bytes are base64, so the process may also run behind `docker exec`.
 */

const seed = z.string().regex(/^0x[0-9a-f]{64}$/);
const kind = z.enum(["chase", "work"]);
const count = z.int().min(1);

export const requestSchema = z.discriminatedUnion("op", [
  /** Lists the devices. */
  z.object({ op: z.literal("list"), library: z.string() }),
  /** Chooses a device and builds its kernels. */
  z.object({ op: z.literal("open"), library: z.string(), device: z.int().min(0), lanes: count.optional() }),
  z.object({
    op: z.literal("fill"),
    seed,
    bytes: z.string().regex(/^\d{1,20}$/),
    windowPages: count.optional(),
  }),
  z.object({
    op: z.literal("run"),
    kind,
    seed,
    lanes: count.optional(),
    milliseconds: z.number(),
    legs: count,
  }),
  z.object({ op: z.literal("transcript"), seed }),
]);
export type ProverRequest = z.infer<typeof requestSchema>;

const device = z.object({
  platform: z.string(),
  name: z.string(),
  type: z.enum(["cpu", "gpu", "other"]),
  memoryBytes: z.coerce.bigint(),
  largestBuffer: z.coerce.bigint(),
  units: z.int(),
  vectorWidth: z.int(),
});

const times = { milliseconds: z.number(), cpuMilliseconds: z.number() };

export const answerSchemas = {
  list: z.array(device),
  open: device,
  fill: z.object({ ...times, filledBytes: z.coerce.bigint() }),
  run: z.object({
    ...times,
    lanes: count,
    legs: count,
    root: z.templateLiteral(["0x", z.string().regex(/^[0-9a-f]{64}$/)]),
  }),
  transcript: z.object({ transcript: z.base64() }),
} as const;

export const replySchema = z.union([
  z.object({ value: z.unknown() }),
  z.object({
    error: z.object({
      retryable: z.boolean(),
      code: z.string(),
      message: z.string(),
      hint: z.string(),
      details: z.record(z.string(), z.unknown()),
    }),
  }),
]);
export type Reply = z.infer<typeof replySchema>;
