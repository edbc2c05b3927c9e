import { type TaskReceipt, taskHashOf } from "@ngpu/protocol/taskReceiptTree";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { receiptAnswer } from "../schemas/tasks.ts";
import { findTask } from "../store/taskReads.ts";
import { findReceipt, type ReceiptRow } from "../store/taskReceipts.ts";

export function receiptRoutes({ db }: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/tasks/:id/receipt",
        tag: "Tasks",
        summary: "Show a task's receipt and its proof",
        description:
          "The receipt is a leaf of a tree whose root is stored in Pomc: `npm run cli -- verify receipt <id>` recomputes it. It exists when the lease is settled and the batch is on the chain.",
        access: "partner",
        params: z.object({ id: z.uuid() }),
        answer: receiptAnswer,
      },
      async ({ partner, params: { id } }) => {
        const task = await findTask(db, partner.wallet, id);
        if (task === undefined) {
          throw new InputError(`You have no task ${id}.`, {
            code: "task_not_found",
            hint: "GET /v1/tasks lists your tasks.",
            status: 404,
          });
        }
        const row = await findReceipt(db, id);
        if (row !== undefined) return responseOf(id, row);
        if (task.node_id === null && task.finished_at !== null) {
          throw new InputError("No node served this task, so it cost nothing and has no receipt.", {
            code: "receipt_not_issued",
            hint: "Send the task again to a workspace with a running replica.",
            status: 404,
          });
        }
        throw new InputError("The task's receipt is not on the chain yet.", {
          code: "receipt_pending",
          status: 404,
          hint: "Try again after the end of the epoch.",
        });
      },
    ),
  ];
}

function responseOf(taskId: string, row: ReceiptRow) {
  const receipt: Record<keyof TaskReceipt, string | number | boolean> = {
    taskHash: taskHashOf(taskId),
    payer: row.payer,
    nodeId: row.node_id,
    workspaceId: row.workspace_id,
    replica: row.replica,
    lease: row.lease,
    finishedAt: row.finished_at,
    durationMs: row.duration_ms,
    succeeded: row.succeeded,
    amount: String(row.amount),
    resultHash: row.result_hash,
  };
  const { batch, pomc, root, proof, tier } = row;
  return { taskId, receipt, batch, pomc, root, proof, txHash: row.tx_hash, tier } as z.input<
    typeof receiptAnswer
  >;
}
