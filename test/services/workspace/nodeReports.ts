import {
  type AssignmentState,
  assignmentStates,
  codeOf,
  type Milestone,
  milestones,
} from "@ngpu/contracts-sdk/enumNames";
import { dockerContractAbi, progressAbi } from "@ngpu/contracts-sdk/generated/abi";
import { packProgress, packReport } from "@ngpu/protocol/packedReports";
import { signRelay } from "@ngpu/protocol/signedMessages";
import { encodeFunctionData, type Hex, parseEventLogs } from "viem";
import { nodeKey, type TestChain } from "./chain.ts";
import type { LeaseRef } from "./chainActions.ts";

const deadline = 2n ** 47n;

/** Sends a node's signed report of a lease's state. */
export async function report(
  chain: TestChain,
  node: string,
  ref: LeaseRef,
  state: AssignmentState,
  detail = "",
): Promise<void> {
  const { fence, sequence } = await assignmentOf(chain, ref);
  const bytes: Hex = `0x${Buffer.from(detail.padEnd(32, "\0")).toString("hex")}`;
  const code = codeOf(assignmentStates, state);
  const message = { ...ref, fence, state: code, detail: bytes, sequence: sequence + 1, deadline };
  const signature = await signRelay(nodeKey(node), chain.deployment, "report", message);
  const args = [[packReport(message, signature)]] as const;
  const data = encodeFunctionData({ abi: dockerContractAbi, functionName: "reportBatch", args });
  const { logs } = await chain.call("relayer", "DockerContract", data);
  const changed = parseEventLogs({ abi: dockerContractAbi, eventName: "StateChanged", logs });
  if (changed.length === 0) throw new Error(`The report of ${state} was refused.`);
}

/** Sends a node's signed progress. */
export async function progress(
  chain: TestChain,
  node: string,
  ref: LeaseRef,
  milestone: Milestone,
): Promise<void> {
  const { fence } = await assignmentOf(chain, ref);
  const message = { ...ref, fence, milestone: codeOf(milestones, milestone), deadline };
  const signature = await signRelay(nodeKey(node), chain.deployment, "progress", message);
  const args = [[packProgress(message, signature)]] as const;
  const data = encodeFunctionData({ abi: progressAbi, functionName: "reportBatch", args });
  await chain.call("relayer", "Progress", data);
}

/** Reads the assignment from the contract. */
async function assignmentOf(
  { client, deployment }: TestChain,
  { workspaceId, replica }: Omit<LeaseRef, "lease">,
) {
  return client.readContract({
    address: deployment.contracts.DockerContract,
    abi: dockerContractAbi,
    functionName: "assignmentOf",
    args: [workspaceId, replica],
  });
}
