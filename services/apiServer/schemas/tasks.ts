import { z } from "zod";
import { amount, isoTime, nextPage, text, tier, txHash, workspaceIdText } from "./common.ts";

/** A path in the container without dot segments, so that no server resolves it to another path. */
export const containerPath = z
  .string()
  .max(2_000)
  .regex(/^\/[\x21\x22\x24-\x7e]*$/, "is not a path of visible ASCII characters that begins with /")
  .refine((text) => {
    const [pathname = ""] = text.split("?");
    const segments = pathname.replaceAll(/%2e/gi, ".").split(/\/|\\|%2f|%5c/i);
    return !segments.includes(".") && !segments.includes("..");
  }, "has dot segments");

const seconds = (longest: number) => z.number().int().min(1).max(longest);

export const newTask = z
  .strictObject({
    workspaceId: workspaceIdText,
    path: containerPath.default("/"),
    method: z.enum(["GET", "POST", "PUT", "PATCH", "DELETE"]).default("POST"),
    input: z.unknown().optional().meta({ description: "Sent as the JSON body; not sent with GET" }),
    wait: z
      .boolean()
      .default(true)
      .meta({ description: "false: return 202 immediately and run in the background" }),
    waitForCapacity: z
      .strictObject({
        maxSeconds: seconds(3_600).meta({ description: "How long it waits; then it has failed" }),
      })
      .optional()
      .meta({
        description:
          "While no replica can take the task, it waits in the workspace's queue of at most 1,000 tasks, which are taken in order; default: it is refused",
      }),
    timeoutSeconds: seconds(3_600).default(600).meta({
      description: "Longest time without a byte from the container, before and after its response has begun",
    }),
    totalTimeoutSeconds: seconds(14_400)
      .default(14_400)
      .meta({ description: "Longest time until the response has ended" }),
  })
  .meta({ id: "NewTask" });

/** The same deadlines, for requests whose body is the container's. */
export const timeoutHeaders = z.object({
  "x-ngpu-timeout": z.coerce.number().pipe(seconds(3_600)).default(600).meta({
    description: "Longest time without a byte from the container, in seconds",
  }),
  "x-ngpu-total-timeout": z.coerce
    .number()
    .pipe(seconds(14_400))
    .default(14_400)
    .meta({ description: "Longest time until the response has ended, in seconds" }),
});

export const taskStatuses = ["queued", "running", "succeeded", "failed", "aborted"] as const;

export const taskAnswer = z
  .object({
    id: z.string(),
    status: z.enum(taskStatuses),
    workspaceId: z.string(),
    kind: z.enum(["task", "chat"]),
    queue: z
      .object({
        position: z.number().int().meta({ description: "Place in the workspace's queue; 1: it is the next" }),
        until: isoTime.meta({ description: "How long it waits" }),
      })
      .nullable()
      .meta({ description: "Null: the task does not wait for a replica" }),
    nodeId: z.number().int().nullable(),
    ms: z.number().int().nullable().meta({ description: "Duration in milliseconds" }),
    coldStartMs: z.number().int().nullable().meta({
      description:
        "How long it waited for a replica, in milliseconds, which is no part of `ms` and costs nothing; null: one took it at once",
    }),
    httpStatus: z.number().int().nullable().meta({ description: "The container's HTTP status" }),
    result: z.unknown().meta({
      description:
        "The container's response, decoded: JSON, UTF-8 text, or { base64, contentType }. GET /v1/tasks/{id}/result returns its bytes",
    }),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }).nullable(),
    createdAt: isoTime,
    finishedAt: isoTime.nullable(),
    hasReceipt: z
      .boolean()
      .meta({ description: "Whether its receipt is on the chain: GET /v1/tasks/{id}/receipt shows it" }),
  })
  .meta({ id: "Task" });

export const taskList = z.object({
  tasks: z.array(taskAnswer.omit({ result: true })),
  next: nextPage,
});

export const taskPage = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  after: z.uuid().optional().meta({ description: "Continue after this task" }),
  workspaceId: workspaceIdText.optional(),
});

export const receiptAnswer = z
  .object({
    taskId: z.string(),
    receipt: z
      .object({
        taskHash: z.string().meta({ description: "keccak256 of the task's id" }),
        payer: z.string(),
        nodeId: z.number().int(),
        workspaceId: z.string(),
        replica: z.number().int(),
        lease: z.number().int(),
        finishedAt: z.string().meta({ description: "Unix time in milliseconds" }),
        durationMs: z.number().int(),
        succeeded: z.boolean(),
        amount: amount("Cost of the task in token units: the lease's rate × its duration"),
        resultHash: z.string().meta({
          description: "keccak256 of { result, taskId } as JSON with sorted fields and no whitespace",
        }),
      })
      .meta({ description: "The fields of the leaf, in order" }),
    batch: z.string().meta({ description: "Batch number, the argument of Pomc.receiptsRootOf" }),
    pomc: z.string().meta({ description: "The contract that stores the root" }),
    root: z.string(),
    proof: z.array(z.string()).meta({ description: "The leaf's siblings, lowest first" }),
    txHash,
    tier,
  })
  .meta({ id: "TaskReceipt" });

const message = z.looseObject({ role: z.string() });
const isMessage = (value: unknown) =>
  typeof value === "object" && value !== null && "role" in value && typeof value.role === "string";

/** Messages are checked up to the first one that is wrong: a body may have a million. */
const messages = z
  .array(z.unknown())
  .min(1)
  .superRefine((list, context) => {
    const index = list.findIndex((one) => !isMessage(one));
    if (index === -1) return;
    context.addIssue({ code: "custom", path: [index], message: "is not an object with a role" });
  })
  .meta({ override: z.toJSONSchema(z.array(message).min(1)) as object });

export const chatRequest = z
  .looseObject({
    model: text(1, 300).meta({
      description:
        "A workspace: its id, `ws-<id>` or name. The container uses its own model; `<workspace>/<model>` passes `<model>` to it",
    }),
    messages,
    stream: z.boolean().optional(),
  })
  .meta({
    id: "ChatRequest",
    description: "OpenAI's request body; all other fields are passed to the container",
  });

export const modelRequest = z.looseObject({ model: chatRequest.shape.model }).meta({
  id: "ModelRequest",
  description: "OpenAI's request body; all other fields are passed to the container",
});

export const formRequest = z.looseObject({ model: chatRequest.shape.model }).meta({
  id: "FormRequest",
  description:
    "OpenAI's fields and files, in at most 32 MiB; all but the workspace's name are passed to the container",
});

export const chatAnswer = z.looseObject({}).meta({ description: "The container's response" });
export const modelEntry = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: z.number().int(),
  owned_by: z.string(),
  name: z.string().nullable(),
});
export const modelList = z.object({ object: z.literal("list"), data: z.array(modelEntry) });
export const openAiError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
    request_id: z.string().meta({ description: "Value of the response's x-request-id header" }),
  })
  .meta({ id: "OpenAiError" });
