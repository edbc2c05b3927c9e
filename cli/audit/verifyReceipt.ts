import type { StatedReceipt } from "@ngpu/audit/receiptAudit";
import { verifyStatedReceipt } from "@ngpu/audit/receipts";
import { createChainClient } from "@ngpu/chain-reader/client";
import type { TaskReceipt } from "@ngpu/protocol/taskReceiptTree";
import { InputError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { z } from "zod";
import { parseJson, readText } from "../shared/files.ts";
import { apiOf, type GlobalOptions, settingsOf } from "../shared/settings.ts";
import { sourceOf } from "./recompute.ts";
import { printVerdict } from "./verdict.ts";

type Options = GlobalOptions & {
  api: string;
  json: boolean;
  rpcUrl?: string;
  deployment?: string;
  receipt?: string;
  task?: string;
};

const hex = z
  .string()
  .regex(/^0x[0-9a-fA-F]*$/)
  .transform((text) => text as Hex);
const receiptSchema = z.object({
  receipt: z.object({
    taskHash: hex,
    payer: hex,
    nodeId: z.number(),
    workspaceId: z.coerce.bigint(),
    replica: z.number(),
    lease: z.number(),
    finishedAt: z.coerce.bigint(),
    durationMs: z.number(),
    succeeded: z.boolean(),
    amount: z.coerce.bigint(),
    resultHash: hex,
  }),
  batch: z.coerce.bigint(),
  proof: z.array(hex),
});
const taskSchema = z.object({ result: z.unknown(), status: z.string() });

/**
 * Verifies a task's receipt against the logs of the chain and prints the result. The receipt is read from files, or else from the API;
 * everything that it is compared with is read from an RPC endpoint. The exit code is 0 if it is valid, else 2.
 */
export async function verifyReceipt(id: string, options: Options): Promise<void> {
  if (!z.uuid().safeParse(id).success) {
    throw new InputError(`${id} is not the id of a task, which is a UUID as returned by POST /v1/tasks.`, {
      code: "task_id_invalid",
      hint: "Copy the id from the response of POST /v1/tasks.",
    });
  }
  const stated = await statedReceipt(id, options);
  const { deployment, rpcUrls } = await sourceOf(options);
  const client = createChainClient({ chainId: deployment.chainId, rpcUrls });
  const { receipt, batch } = stated;
  const { root, checks } = await verifyStatedReceipt(client, deployment, stated);
  printVerdict(options, checks, { batch, root, receipt }, [
    `Batch ${batch} has root ${root ?? "none"} on the chain.`,
    receiptText(receipt),
  ]);
}

/** The receipt and the task, from the files that were named, else from the API. @throws InputError `file_invalid` */
async function statedReceipt(id: string, options: Options): Promise<StatedReceipt> {
  if (options.receipt === undefined) {
    const api = apiOf(settingsOf(options));
    const receipt = receiptSchema.parse(await api.call("GET /v1/tasks/{id}/receipt", { path: { id } }));
    const task = taskSchema.parse(await api.call("GET /v1/tasks/{id}", { path: { id } }));
    return { id, ...receipt, task: { result: task.result, status: task.status } };
  }
  const receipt = readDocument(options.receipt, receiptSchema, "GET /v1/tasks/{id}/receipt");
  const task =
    options.task === undefined ? undefined : readDocument(options.task, taskSchema, "GET /v1/tasks/{id}");
  return { id, ...receipt, task: task && { result: task.result, status: task.status } };
}

function readDocument<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  route: string,
): z.output<Schema> {
  const hint = `It must hold the response of ${route}.`;
  const parsed = schema.safeParse(parseJson(readText(file), file, hint));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InputError(`${file}: ${issue?.path.join(".")} ${issue?.message}.`, {
    code: "file_invalid",
    hint,
  });
}

function receiptText({
  nodeId,
  workspaceId,
  replica,
  lease,
  durationMs,
  amount,
  payer,
}: TaskReceipt): string {
  return (
    `Node ${nodeId} served workspace ${workspaceId}, replica ${replica}, lease ${lease}, in ${durationMs} ms for ` +
    `${amount} token units of ${payer}.`
  );
}
