import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { dockerContractAbi, escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { authorizationTypes, domainOf } from "@ngpu/contracts-sdk/typedData";
import type { PlacementPreferences } from "@ngpu/protocol/placement/preferences";
import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import type { Sender } from "@ngpu/tx-sender/send";
import { type Hex, keccak256, parseEther, parseEventLogs, stringToHex, toHex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { TestMarket } from "../../support/chain.ts";

type LeaseRef = { workspaceId: bigint; replica: number; lease: number };

export type ChainActions = ReturnType<typeof createChainActions>;

/** Actions of a partner on the chain, paid with the keeper's tokens. */
export function createChainActions(options: {
  market: TestMarket;
  keeper: Sender;
  partner: Sender;
  account: PrivateKeyAccount;
}) {
  const { market, keeper, partner, account } = options;
  const { deployment } = market;
  let authorization: Promise<bigint> | undefined;

  return {
    /** Publishes a workspace. By default it fits on any node. */
    async publish(
      given: Partial<WorkspaceSpec> = {},
      placement?: PlacementPreferences,
      replicas = 8,
      image = "example/image",
    ): Promise<{ id: bigint; spec: WorkspaceSpec }> {
      authorization ??= authorize({ deployment, keeper, account });
      const config = configWith(placement, image);
      const spec = { ...specOf(given), configHash: keccak256(stringToHex(config)) };
      const { receipt } = await partner.send({
        kind: "test",
        contract: "DockerContract",
        functionName: "publish",
        args: [account.address, await authorization, replicas, spec, config],
      } as const);
      const [event] = parseEventLogs({
        abi: dockerContractAbi,
        eventName: "WorkspacePublished",
        logs: receipt.logs,
      });
      if (event === undefined) throw new Error("The transaction has no event WorkspacePublished.");
      return { id: event.args.workspaceId, spec };
    },

    /** Closes a workspace. */
    async close(workspaceId: bigint): Promise<void> {
      await partner.send({
        kind: "test",
        contract: "DockerContract",
        functionName: "closeWorkspace",
        args: [workspaceId],
      } as const);
    },

    /** Sets the number of replicas. */
    async scale(workspaceId: bigint, replicas: number): Promise<void> {
      await partner.send({
        kind: "test",
        contract: "DockerContract",
        functionName: "setReplicas",
        args: [workspaceId, replicas],
      } as const);
    },

    /** Stops or starts a workspace with these leases. @throws Error when the contract refuses one of the leases. */
    async setStopped(workspaceId: bigint, isStopped: boolean, leases: LeaseRef[]): Promise<void> {
      const { refusals } = await partner.send({
        kind: "test",
        contract: "DockerContract",
        functionName: isStopped ? "stopWorkspace" : "startWorkspace",
        args: [workspaceId, leases],
      } as const);
      if (refusals.length > 0) throw new Error(`The order failed: ${refusals[0]?.error.text}`);
    },

    /** Orders a node to delete a lease's container. */
    async requestDelete(lease: LeaseRef): Promise<void> {
      const { refusals } = await keeper.send({
        kind: "test",
        contract: "DockerContract",
        functionName: "requestDelete",
        args: [[lease]],
      } as const);
      if (refusals.length > 0) throw new Error(`The order failed: ${refusals[0]?.error.text}`);
    },

    async assign(
      workspace: { id: bigint; spec: WorkspaceSpec },
      replica: number,
      nodeId: number,
    ): Promise<void> {
      const { refusals } = await keeper.send({
        kind: "test",
        contract: "DockerContract",
        functionName: "assign",
        args: [
          [
            {
              workspaceId: workspace.id,
              replica,
              nodeId,
              start: true,
              pricePerSecond: workspace.spec.maxPricePerSecond,
              decidedAt: 0n,
              spec: workspace.spec,
            },
          ],
        ],
      } as const);
      if (refusals.length > 0) throw new Error(`The assignment failed: ${refusals[0]?.error.text}`);
    },
  };
}

/** Funds the partner's deposit and authorizes the keeper to spend from it. @returns the authorization's id */
async function authorize(options: {
  deployment: Deployment;
  keeper: Sender;
  account: PrivateKeyAccount;
}): Promise<bigint> {
  const { deployment, keeper, account } = options;
  await keeper.send({
    kind: "test",
    contract: "Token",
    functionName: "approve",
    args: [deployment.contracts.Escrow, parseEther("1000")],
  } as const);
  await keeper.send({
    kind: "test",
    contract: "Escrow",
    functionName: "deposit",
    args: [account.address, parseEther("1000")],
  } as const);
  const message = {
    owner: account.address,
    delegate: keeper.address,
    maxRate: 10n ** 18n,
    daily: 2n ** 96n - 1n,
    total: parseEther("900"),
    scope: toHex(0, { size: 32 }),
    expiry: 4_000_000_000,
    nonce: 1n,
  };
  const signature = await account.signTypedData({
    domain: domainOf(deployment, "Escrow"),
    types: authorizationTypes,
    primaryType: "Authorization",
    message,
  });
  const { receipt } = await keeper.send({
    kind: "test",
    contract: "Escrow",
    functionName: "authorize",
    args: [message, signature],
  } as const);
  const [event] = parseEventLogs({ abi: escrowAbi, eventName: "Authorized", logs: receipt.logs });
  if (event === undefined) throw new Error("The transaction has no event Authorized.");
  return event.args.authorizationId;
}

const configWith = (placement: PlacementPreferences | undefined, image: string) =>
  JSON.stringify({ image, ports: [8080], placement });

function specOf(given: Partial<WorkspaceSpec>): Omit<WorkspaceSpec, "configHash"> {
  return {
    image: keccak256(stringToHex("image")) as Hex,
    policy: 0,
    graceSeconds: 1,
    maxPricePerSecond: 1_000n,
    gpuModel: "0x0000000000000000",
    minVramMib: 0,
    minComputeCapability: 0,
    region: "0x0000",
    resources: { gpus: 0, cpuMilli: 500, memoryMib: 256, diskGib: 1, ports: 1 },
    expiresAt: 0,
    ...given,
  };
}
