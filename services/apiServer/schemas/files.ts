import { z } from "zod";
import { text, unixTime } from "./common.ts";

/** Seconds for which a file is kept: the least, the most, and what is usual. */
export const keptSeconds = { least: 3_600, most: 2_592_000, usual: 2_592_000 };

const filePurposes = ["assistants", "batch", "evals", "fine-tune", "user_data", "vision"] as const;

export const fileId = z
  .string()
  .regex(/^(file-[0-9a-f]{24}|sha256:[0-9a-f]{64})$/, "is neither the id of a file nor sha256:<hex>")
  .meta({
    description: "The file's id, or `sha256:<hex>`: the newest file with this content",
    example: "file-0123456789abcdef01234567",
  });

/** The fields of an upload besides its file. */
export const uploadFields = z.strictObject({
  purpose: z
    .enum(filePurposes)
    .meta({ description: "`batch`: lines for POST /v1/batches; no other has a meaning here" }),
  "expires_after[anchor]": z.literal("created_at").optional(),
  "expires_after[seconds]": z.coerce
    .number()
    .int()
    .min(keptSeconds.least)
    .max(keptSeconds.most)
    .default(keptSeconds.usual)
    .meta({ description: "How long the file is kept; default: 30 days, which is the longest time" }),
});

export const newFile = uploadFields
  .extend({
    file: z
      .string()
      .meta({ format: "binary", description: "The file, of at most 5,000,000,000 bytes, with its name" }),
  })
  .meta({ id: "NewFile" });

/** Names of files are shown and sent in headers. */
export const filename = text(1, 255).regex(/^[^\p{Cc}]*$/u, "has control characters");

export const fileAnswer = z
  .object({
    id: z.string(),
    object: z.literal("file"),
    bytes: z.number().int(),
    created_at: unixTime,
    expires_at: unixTime.meta({ description: "When the file is deleted, Unix time in seconds" }),
    filename: z.string(),
    purpose: z.string().meta({ description: "That of the upload, or `batch_output`" }),
    status: z.literal("processed"),
    sha256: z.string().meta({ description: "Address of the content: `sha256:<hex>` finds the file, too" }),
  })
  .meta({ id: "File" });

export const fileDeleted = z.object({ id: z.string(), object: z.literal("file"), deleted: z.literal(true) });

export const filePage = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  after: z
    .string()
    .regex(/^file-[0-9a-f]{24}$/)
    .optional()
    .meta({ description: "Continue after this file" }),
  purpose: z.enum([...filePurposes, "batch_output"]).optional(),
  order: z.enum(["asc", "desc"]).default("desc").meta({ description: "Oldest or newest first" }),
});

/** A page of a list, as OpenAI's clients read it. */
export const openAiPage = <Entry extends z.ZodType>(entry: Entry) =>
  z.object({
    object: z.literal("list"),
    data: z.array(entry),
    first_id: z.string().nullable(),
    last_id: z.string().nullable().meta({ description: "Value of `after` for the next page" }),
    has_more: z.boolean(),
  });

export const fileList = openAiPage(fileAnswer);
