import { type RpcClient, readHeader } from "@ngpu/chain-reader/rpc";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { createBlockClock, readMarketLogs } from "./chainHistory.ts";
import { auditReceipt, receiptEvents, type StatedReceipt } from "./receiptAudit.ts";

/** Compares a task's receipt with the logs of the chain, which are read from an RPC endpoint alone. */
export async function verifyStatedReceipt(
  client: RpcClient,
  deployment: Deployment,
  stated: StatedReceipt,
): Promise<ReturnType<typeof auditReceipt>> {
  const { number: upTo } = await readHeader(client, "latest");
  const clock = createBlockClock(client, upTo);
  const logs = await readMarketLogs(client, deployment, {
    events: receiptEvents,
    upTo,
    clock,
    untimed: true,
  });
  return auditReceipt(logs, stated);
}
