import { createChainClient } from "@ngpu/chain-reader/client";
import { pomcAbi } from "@ngpu/contracts-sdk/generated/abi";
import { addressFor } from "@ngpu/contracts-sdk/generations";
import {
  resultHashOf,
  type TaskReceipt,
  taskHashOf,
  verifyTaskReceipt,
} from "@ngpu/protocol/taskReceiptTree";
import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import type { Hex } from "viem";
import { z } from "zod";
import { endWith } from "../shared/exitCodes.ts";
import { readNetwork } from "../shared/network.ts";
import { apiOf, type GlobalOptions, settingsOf } from "../shared/settings.ts";

type Options = GlobalOptions & { rpcUrl?: string };

const hex = z.string().transform((text) => text as Hex);
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

/** The checks of a receipt, each computed from the task and the chain; true: passed. */
export type ReceiptChecks = { task: boolean; result: boolean; status: boolean; proof: boolean };

/** Verifies a task's receipt against the root on the chain and prints the result. The exit code is 0 if it is valid, else 2. */
export async function verifyReceipt(id: string, options: Options): Promise<void> {
  if (!z.uuid().safeParse(id).success) {
    throw new InputError(`${id} is not the id of a task, which is a UUID as returned by POST /v1/tasks.`, {
      code: "task_id_invalid",
      hint: "Copy the id from the response of POST /v1/tasks.",
    });
  }
  const api = apiOf(settingsOf(options));
  const { receipt, batch, proof } = receiptSchema.parse(
    await api.call("GET /v1/tasks/{id}/receipt", { path: { id } }),
  );
  const task = taskSchema.parse(await api.call("GET /v1/tasks/{id}", { path: { id } }));
  const { chainId, rpcUrls, deployment } = await readNetwork(api, options.rpcUrl);
  const client = createChainClient({ chainId, rpcUrls });
  const root = await client.readContract({
    address: addressFor(deployment, "Pomc", { batch }),
    abi: pomcAbi,
    functionName: "receiptsRootOf",
    args: [batch],
  });
  const checks: ReceiptChecks = {
    task: receipt.taskHash === taskHashOf(id),
    result: receipt.resultHash === resultHashOf(id, task.result),
    status: receipt.succeeded === (task.status === "succeeded"),
    proof: verifyTaskReceipt(root, receipt, proof),
  };
  const holds = Object.values(checks).every(Boolean);
  process.stdout.write(
    options.json === true
      ? `${toJson({ holds, checks, batch, root, receipt })}\n`
      : formatText({ holds, checks, batch, root, receipt }),
  );
  endWith(holds ? "success" : "no");
}

function formatText(found: {
  holds: boolean;
  checks: ReceiptChecks;
  batch: bigint;
  root: Hex;
  receipt: TaskReceipt;
}): string {
  const { holds, checks, batch, root, receipt } = found;
  const failed = Object.entries(checks)
    .filter(([, passed]) => !passed)
    .map(([name]) => name);
  return [
    holds
      ? `Valid: the receipt is included in root ${root} of batch ${batch}.`
      : `Invalid for root ${root} of batch ${batch}; failed checks: ${failed.join(", ")}.`,
    `Node ${receipt.nodeId} served workspace ${receipt.workspaceId}, replica ${receipt.replica}, lease ${receipt.lease}, ` +
      `in ${receipt.durationMs} ms for ${receipt.amount} token units of ${receipt.payer}.`,
    "",
  ].join("\n");
}
