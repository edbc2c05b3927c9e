import { type ChainClient, createChainClient } from "@ngpu/chain-reader/client";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { type AssignmentState, assignmentStates, codeOf } from "@ngpu/contracts-sdk/enumNames";
import { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { rest } from "@ngpu/runtime/loop";
import type { BenchMarket } from "./market.ts";

type Lease = { lease: number; nodeId: number };

/** What the chain says of a workspace with one replica, by the block that says it. */
export type ChainWatch = {
  blockOf(txHash: string): Promise<number>;
  /** Waits for a report of a state; of a later lease than `after`. */
  state(id: string, state: AssignmentState, after?: number): Promise<Lease & { block: number }>;
  /** Waits for the first lease after this one. */
  assigned(id: string, after: number): Promise<Lease & { block: number }>;
  released(id: string, lease: number): Promise<number>;
};

const deadlineMs = 120_000;

/** Looks at the chain itself, by the addresses that the market tells nodes. */
export async function openChainWatch({ api, signal }: BenchMarket): Promise<ChainWatch> {
  const { rpcUrls, deployment: told } = await api.get<{ rpcUrls: string[]; deployment: unknown }>(
    "/v1/network",
  );
  const deployment = parseDeployment(told);
  const client: ChainClient = createChainClient({ rpcUrls, chainId: deployment.chainId });
  const source = {
    address: deployment.contracts.DockerContract,
    abi: dockerContractAbi,
    fromBlock: BigInt(deployment.startBlock),
  } as const;
  const wait = async <Answer>(what: string, ask: () => Promise<Answer | undefined>): Promise<Answer> => {
    const end = Date.now() + deadlineMs;
    for (;;) {
      signal.throwIfAborted();
      const answer = await ask();
      if (answer !== undefined) return answer;
      if (Date.now() > end) throw new Error(`Waited ${deadlineMs / 1_000} s for ${what}.`);
      await rest(50, signal);
    }
  };
  return {
    blockOf: async (hash) =>
      Number((await client.getTransactionReceipt({ hash: hash as `0x${string}` })).blockNumber),
    state: (id, state, after = 0) =>
      wait(`workspace ${id} to be ${state}`, async () => {
        const logs = await client.getContractEvents({
          ...source,
          eventName: "StateChanged",
          args: { workspaceId: BigInt(id) },
          strict: true,
        });
        const code = codeOf(assignmentStates, state);
        const found = logs.find(({ args }) => args.state === code && args.lease > after);
        if (found === undefined) return undefined;
        const { lease, nodeId } = found.args;
        return { lease, nodeId, block: Number(found.blockNumber) };
      }),
    assigned: (id, after) =>
      wait(`another lease of workspace ${id}`, async () => {
        const logs = await client.getContractEvents({
          ...source,
          eventName: "Assigned",
          args: { workspaceId: BigInt(id) },
          strict: true,
        });
        const found = logs.find(({ args }) => args.lease > after);
        if (found === undefined) return undefined;
        const { lease, nodeId } = found.args;
        return { lease, nodeId, block: Number(found.blockNumber) };
      }),
    released: (id, lease) =>
      wait(`the end of lease ${lease} of workspace ${id}`, async () => {
        const logs = await client.getContractEvents({
          ...source,
          eventName: "Released",
          args: { workspaceId: BigInt(id) },
          strict: true,
        });
        const found = logs.find(({ args }) => args.lease === lease);
        return found === undefined ? undefined : Number(found.blockNumber);
      }),
  };
}
