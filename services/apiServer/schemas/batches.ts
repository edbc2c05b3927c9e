import { z } from "zod";
import { text, unixTime } from "./common.ts";
import { fileId, keptSeconds, openAiPage } from "./files.ts";

/** Endpoints whose requests may be lines of a batch. */
const batchEndpoints = [
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/embeddings",
  "/v1/responses",
] as const;

export const batchLimits = { lines: 50_000, lineBytes: 4 << 20, open: 20 };

const metadata = z
  .record(text(1, 64), text(0, 512))
  .refine((given) => Object.keys(given).length <= 16, "has more than 16 entries");

export const newBatch = z
  .strictObject({
    input_file_id: fileId.meta({
      description:
        "A file of JSON lines `{custom_id, method, url, body}`: at most 50,000 lines of at most 4 MiB, each with a `custom_id` of its own",
    }),
    endpoint: z.enum(batchEndpoints).meta({ description: "`url` of each line" }),
    completion_window: z
      .literal("24h")
      .meta({ description: "Lines that have not ended after it are not run any more" }),
    metadata: metadata.nullish(),
    output_expires_after: z
      .strictObject({
        anchor: z.literal("created_at"),
        seconds: z.number().int().min(keptSeconds.least).max(keptSeconds.most),
      })
      .optional()
      .meta({
        description: "How long the files of results are kept after they were written; default: 30 days",
      }),
  })
  .meta({ id: "NewBatch" });

export const batchId = z.string().regex(/^batch_[0-9a-f]{24}$/, "is not the id of a batch");

const batchStatuses = [
  "validating",
  "failed",
  "in_progress",
  "finalizing",
  "completed",
  "expired",
  "cancelling",
  "cancelled",
] as const;

const when = unixTime.nullable();

export const batchAnswer = z
  .object({
    id: z.string(),
    object: z.literal("batch"),
    endpoint: z.enum(batchEndpoints),
    errors: z
      .object({
        object: z.literal("list"),
        data: z.array(
          z.object({
            code: z.string(),
            line: z.number().int().nullable(),
            message: z.string(),
            hint: z.string(),
            param: z.string().nullable(),
          }),
        ),
      })
      .nullable()
      .meta({ description: "What is wrong with the input; null: nothing" }),
    input_file_id: z.string(),
    completion_window: z.string(),
    status: z.enum(batchStatuses),
    output_file_id: z
      .string()
      .nullable()
      .meta({ description: "Responses of the lines with a status of 2xx" }),
    error_file_id: z.string().nullable().meta({ description: "What came of the other lines" }),
    created_at: unixTime,
    in_progress_at: when,
    expires_at: unixTime,
    finalizing_at: when,
    completed_at: when,
    failed_at: when,
    expired_at: when,
    cancelling_at: when,
    cancelled_at: when,
    request_counts: z.object({
      total: z.number().int(),
      completed: z.number().int(),
      failed: z.number().int(),
    }),
    metadata: z.record(z.string(), z.string()).nullable(),
  })
  .meta({ id: "Batch" });

export const batchPage = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  after: batchId.optional().meta({ description: "Continue after this batch" }),
});

export const batchList = openAiPage(batchAnswer);
