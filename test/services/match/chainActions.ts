import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { dockerContractAbi, escrowAbi } from "@ngpu/contracts-sdk/generated/abi";
import { authorizationTypes, domainOf } from "@ngpu/contracts-sdk/typedData";
import type { PlacementPreferences } from "@ngpu/protocol/placement/preferences";
import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import type { Sender } from "@ngpu/tx-sender/send";
import { type Address, type Hex, keccak256, parseEther, parseEventLogs, stringToHex, toHex } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
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
      const means = { deposit: parseEther("1000"), total: parseEther("900") };
      authorization ??= authorize({ deployment, keeper, account, ...means });
      const paid = { owner: account.address, authorizationId: await authorization };
      return publishWith(partner, paid, { given, placement, replicas, image });
    },

    /** Creates an owner with a deposit, who authorizes the keeper to spend a total. The keeper publishes for it. */
    async createOwner(means: { deposit: bigint; total: bigint }) {
      const owner = privateKeyToAccount(generatePrivateKey());
      const authorizationId = await authorize({ deployment, keeper, account: owner, ...means });
      return {
        account: owner,
        publish: (given: Partial<WorkspaceSpec>) =>
          publishWith(
            keeper,
            { owner: owner.address, authorizationId },
            { given, placement: undefined, replicas: 1, image: "example/image" },
          ),
      };
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
      const { refusals } = await partner.send({
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
              position: 0,
              excluded: "0x",
              spec: workspace.spec,
            },
          ],
        ],
      } as const);
      if (refusals.length > 0) throw new Error(`The assignment failed: ${refusals[0]?.error.text}`);
    },
  };
}

/** Publishes as the owner, or as its delegate. */
async function publishWith(
  sender: Sender,
  { owner, authorizationId }: { owner: Address; authorizationId: bigint },
  of: {
    given: Partial<WorkspaceSpec>;
    placement: PlacementPreferences | undefined;
    replicas: number;
    image: string;
  },
): Promise<{ id: bigint; spec: WorkspaceSpec }> {
  const config = configWith(of.placement, of.image);
  const spec = { ...specOf(of.given), configHash: keccak256(stringToHex(config)) };
  const { receipt } = await sender.send({
    kind: "test",
    contract: "DockerContract",
    functionName: "publish",
    args: [owner, authorizationId, of.replicas, spec, config],
  } as const);
  const [event] = parseEventLogs({
    abi: dockerContractAbi,
    eventName: "WorkspacePublished",
    logs: receipt.logs,
  });
  if (event === undefined) throw new Error("The transaction has no event WorkspacePublished.");
  return { id: event.args.workspaceId, spec };
}

/** Funds the owner's deposit and authorizes the keeper to spend from it. @returns the authorization's id */
async function authorize(options: {
  deployment: Deployment;
  keeper: Sender;
  account: PrivateKeyAccount;
  deposit: bigint;
  total: bigint;
}): Promise<bigint> {
  const { deployment, keeper, account, deposit, total } = options;
  if (deposit > 0n) await depositFor(keeper, deployment, account.address, deposit);
  const message = {
    owner: account.address,
    delegate: keeper.address,
    maxRate: 10n ** 18n,
    daily: 2n ** 96n - 1n,
    total,
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

async function depositFor(keeper: Sender, deployment: Deployment, owner: Address, amount: bigint) {
  await keeper.send({
    kind: "test",
    contract: "Token",
    functionName: "approve",
    args: [deployment.contracts.Escrow, amount],
  } as const);
  await keeper.send({
    kind: "test",
    contract: "Escrow",
    functionName: "deposit",
    args: [owner, amount],
  } as const);
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
