import type { Schema } from "@ngpu/api-client/client";
import { verifyStatedReceipt } from "@ngpu/audit/receipts";
import type { Hex } from "viem";
import { type Check, clientOf, deploymentOf } from "./chain.ts";

const names = ["task", "result", "status", "proof", "lease", "payer", "totals"] as const;
type Name = (typeof names)[number];

/** Compares a task's receipt with the logs of the chain, which are read from an RPC endpoint alone. */
export async function verifyReceipt(
  stated: Schema<"TaskReceipt">,
  task: Schema<"Task">,
  { deployment, rpcUrl }: { deployment: unknown; rpcUrl: string },
): Promise<Check<Name>[]> {
  const { receipt, batch, proof } = stated;
  const { root, checks } = await verifyStatedReceipt(clientOf(rpcUrl) as never, deploymentOf(deployment), {
    id: task.id,
    batch: BigInt(batch),
    proof: proof as Hex[],
    receipt: {
      ...receipt,
      taskHash: receipt.taskHash as Hex,
      payer: receipt.payer as Hex,
      workspaceId: BigInt(receipt.workspaceId),
      finishedAt: BigInt(receipt.finishedAt),
      amount: BigInt(receipt.amount),
      resultHash: receipt.resultHash as Hex,
    },
    task: { result: task.result, status: task.status },
  });
  const details: Record<Name, string> = {
    task: receipt.taskHash,
    result: receipt.resultHash,
    status: task.status,
    proof: root ?? "",
    lease: `${receipt.workspaceId}/${receipt.replica}/${receipt.lease}`,
    payer: receipt.payer,
    totals: receipt.amount,
  };
  return names.map((name) => ({ name, holds: checks[name] === true, detail: details[name] }));
}
