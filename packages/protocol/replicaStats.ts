import { z } from "zod";

const bytes = z.number().int().min(0);

/** What a container uses at a moment. Counts are since it was started. */
export const replicaStats = z.object({
  time: z.iso.datetime().meta({ description: "When the node read it" }),
  cpu: z.object({
    cores: z.number().min(0).meta({ description: "Cores in use over about a second" }),
    limit: z.number().min(0).nullable().meta({ description: "Cores that it may use; null: not known" }),
    throttledSeconds: z.number().min(0).meta({ description: "Time that it waited because of the limit" }),
  }),
  memory: z.object({ bytes, limitBytes: bytes }),
  processes: z.number().int().min(0),
  disk: z.object({ readBytes: bytes, writtenBytes: bytes }),
  network: z.object({ receivedBytes: bytes, sentBytes: bytes }),
  gpus: z
    .array(
      z.object({
        id: z.string(),
        percent: z.number().min(0).max(100).nullable(),
        memoryBytes: bytes.nullable(),
        memoryLimitBytes: bytes.nullable(),
      }),
    )
    .meta({ description: "The replica's GPUs; null: the driver does not say" }),
});

export type ReplicaStats = z.infer<typeof replicaStats>;
