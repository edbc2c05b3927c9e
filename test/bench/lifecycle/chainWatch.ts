import { type ChainClient, createChainClient } from "@ngpu/chain-reader/client";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { type AssignmentState, assignmentStates, codeOf } from "@ngpu/contracts-sdk/enumNames";
import { dockerContractAbi } from "@ngpu/contracts-sdk/generated/abi";
import { rest } from "@ngpu/runtime/loop";
import type { BenchMarket } from "./market.ts";

type Lease = { lease: number; nodeId: number };

/** Events of a workspace with one replica, with their blocks. */
export type ChainWatch = {
  blockOf(txHash: string): Promise<number>;
  /** Waits until a lease later than `after` has reported a state. */
  state(id: string, state: AssignmentState, after?: number): Promise<Lease & { block: number }>;
  /** Waits for the first lease after this one. */
  assigned(id: string, after: number): Promise<Lease & { block: number }>;
  released(id: string, lease: number): Promise<number>;
};

const deadlineMs = 120_000;

/** Watches the chain itself, at the addresses that the market gives to nodes. */
export async function openChainWatch({ api, signal }: BenchMarket): Promise<ChainWatch> {
  const { rpcUrls, deployment: document } = await api.get<{ rpcUrls: string[]; deployment: unknown }>(
    "/v1/network",
  );
  const deployment = parseDeployment(document);
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
      if (Date.now() > end) throw new Error(`Timed out waiting for ${what} after ${deadlineMs / 1_000} s.`);
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
