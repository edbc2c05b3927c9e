import { codeOf, type NodeStatus, nodeStatuses } from "@ngpu/contracts-sdk/enumNames";
import { computeNodeAbi, dockerContractAbi, escrowAbi, tokenAbi } from "@ngpu/contracts-sdk/generated/abi";
import { authorizationTypes, domainOf } from "@ngpu/contracts-sdk/typedData";
import { signLoss } from "@ngpu/protocol/lossStatement";
import { signRelay } from "@ngpu/protocol/signedMessages";
import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import {
  type Address,
  encodeFunctionData,
  type Hex,
  keccak256,
  parseEther,
  parseEventLogs,
  toBytes,
  zeroAddress,
  zeroHash,
} from "viem";
import { accounts, nodeKey, type TestChain } from "./chain.ts";

export type LeaseRef = { workspaceId: bigint; replica: number; lease: number };

const deadline = 2n ** 47n;
const anyModel: Hex = "0x0000000000000000";
const config = JSON.stringify({ image: "localhost:5000/ngpu/chat", ports: [8000] });
/** Price of a replica on every node, token units per second. */
const price = 1_000n;

/** Registers a node with capacity for a number of replicas and returns its id. */
export async function addNode(
  chain: TestChain,
  name: string,
  room = 4,
  gpu?: { name: string; vramMib: number; computeCapability: number },
  wallet: Address = zeroAddress,
): Promise<number> {
  const { call, deployment } = chain;
  const key = nodeKey(name);
  const gpuModel = gpu === undefined ? anyModel : (keccak256(toBytes(gpu.name)).slice(0, 18) as Hex);
  const { vramMib, computeCapability } = gpu ?? { vramMib: 0, computeCapability: 0 };
  const gpus = gpu === undefined ? 0 : 1;
  const total = { gpus, cpuMilli: 1_000 * room, memoryMib: 1_024 * room, diskGib: 10 * room, ports: room };
  const message = {
    key: key.address,
    wallet,
    spec: { gpuModel, vramMib, computeCapability, region: "0x4445" as Hex, total },
    pricePerSecond: price,
    gpuName: gpu?.name ?? "",
    gpuUuids: gpu === undefined ? [] : [keccak256(toBytes(`gpu of ${name}`))],
    deadline,
    consent: "0x" as Hex,
  };
  const signature = await signRelay(key, deployment, "register", message);
  const args = [[message], [signature]] as const;
  const data = encodeFunctionData({ abi: computeNodeAbi, functionName: "registerBatch", args });
  const { logs } = await call("relayer", "ComputeNode", data);
  const [registered] = parseEventLogs({ abi: computeNodeAbi, eventName: "NodeRegistered", logs });
  if (registered === undefined) throw new Error(`${name} was not registered.`);
  return registered.args.nodeId;
}

/** Deposits for a number of seconds of one replica, authorizes a delegate and returns the authorization's id. */
export async function fund(
  chain: TestChain,
  seconds: bigint,
  delegate: Address = accounts.relayer.address,
): Promise<bigint> {
  const { call, client, deployment } = chain;
  const amount = price * seconds;
  const owner = accounts.owner.address;
  const transfer = { abi: tokenAbi, functionName: "transfer", args: [owner, amount] } as const;
  await call("treasury", "Token", encodeFunctionData(transfer));
  const approve = {
    abi: tokenAbi,
    functionName: "approve",
    args: [deployment.contracts.Escrow, amount],
  } as const;
  await call("owner", "Token", encodeFunctionData(approve));
  const deposit = { abi: escrowAbi, functionName: "deposit", args: [owner, amount] } as const;
  await call("owner", "Escrow", encodeFunctionData(deposit));
  const { timestamp } = await client.getBlock();
  const message = {
    owner,
    delegate,
    maxRate: 100n * price,
    daily: 2n ** 96n - 1n,
    total: parseEther("1"),
    scope: zeroHash,
    expiry: Number(timestamp) + 1_000_000,
    nonce: timestamp,
  };
  const domain = domainOf(deployment, "Escrow");
  const primaryType = "Authorization";
  const signature = await accounts.owner.signTypedData({
    domain,
    types: authorizationTypes,
    primaryType,
    message,
  });
  const authorize = { abi: escrowAbi, functionName: "authorize", args: [message, signature] } as const;
  const { logs } = await call("relayer", "Escrow", encodeFunctionData(authorize));
  const [authorized] = parseEventLogs({ abi: escrowAbi, eventName: "Authorized", logs });
  if (authorized === undefined) throw new Error("The authorization was not recorded.");
  return authorized.args.authorizationId;
}

type Publication = { authorizationId: bigint; replicas?: number; expiresAt?: number; maxPrice?: bigint };

export type Published = { workspaceId: bigint; spec: WorkspaceSpec };

/** Publishes a workspace as the owner. */
export async function publish({ call }: TestChain, given: Publication): Promise<Published> {
  const spec: WorkspaceSpec = {
    image: `0x${"ab".repeat(32)}`,
    policy: 0,
    graceSeconds: 60,
    maxPricePerSecond: given.maxPrice ?? price,
    gpuModel: anyModel,
    minVramMib: 0,
    minComputeCapability: 0,
    region: "0x0000",
    resources: { gpus: 0, cpuMilli: 1_000, memoryMib: 1_024, diskGib: 10, ports: 1 },
    expiresAt: given.expiresAt ?? 0,
    configHash: keccak256(toBytes(config)),
  };
  const args = [accounts.owner.address, given.authorizationId, given.replicas ?? 1, spec, config] as const;
  const data = encodeFunctionData({ abi: dockerContractAbi, functionName: "publish", args });
  const { logs } = await call("owner", "DockerContract", data);
  const [published] = parseEventLogs({ abi: dockerContractAbi, eventName: "WorkspacePublished", logs });
  if (published === undefined) throw new Error("The workspace was not published.");
  return { workspaceId: published.args.workspaceId, spec };
}

/** Changes a workspace's spec as its owner. */
export async function update(
  { call }: TestChain,
  { workspaceId, spec }: Published,
  changes: Partial<WorkspaceSpec>,
  configChanges: object = {},
): Promise<Published> {
  const document = JSON.stringify({ ...JSON.parse(config), ...configChanges });
  const next = { ...spec, ...changes, configHash: keccak256(toBytes(document)) };
  const args = [workspaceId, spec, next, document] as const;
  const data = encodeFunctionData({ abi: dockerContractAbi, functionName: "updateWorkspace", args });
  await call("owner", "DockerContract", data);
  return { workspaceId, spec: next };
}

/** Changes the status of a node with its signature. */
export async function setStatus(
  { call, client, deployment }: TestChain,
  name: string,
  nodeId: number,
  status: NodeStatus,
): Promise<void> {
  const { ComputeNode: address } = deployment.contracts;
  const read = { address, abi: computeNodeAbi, functionName: "sequencesOf", args: [nodeId] } as const;
  const [last] = await client.readContract(read);
  const message = { nodeId, status: codeOf(nodeStatuses, status), sequence: last + 1, deadline };
  const signature = await signRelay(nodeKey(name), deployment, "setStatus", message);
  const args = [[message], [signature]] as const;
  const data = encodeFunctionData({ abi: computeNodeAbi, functionName: "setStatusBatch", args });
  await call("relayer", "ComputeNode", data);
}

/** Assigns a replica with a keeper account that no service under test uses, and returns the lease. */
export async function assign(
  { call }: TestChain,
  { workspaceId, spec }: Published,
  given: { replica?: number; nodeId: number; start: boolean; decidedAt?: bigint },
): Promise<LeaseRef> {
  const { replica = 0, nodeId, start, decidedAt = 0n } = given;
  const pricePerSecond = spec.maxPricePerSecond;
  const args = [
    [
      {
        workspaceId,
        replica,
        nodeId,
        start,
        pricePerSecond,
        decidedAt,
        position: 0,
        excluded: "0x",
        spec,
      },
    ],
  ] as const;
  const data = encodeFunctionData({ abi: dockerContractAbi, functionName: "assign", args });
  const { logs } = await call("match", "DockerContract", data);
  const [assigned] = parseEventLogs({ abi: dockerContractAbi, eventName: "Assigned", logs });
  if (assigned === undefined) throw new Error("The assignment was refused.");
  return { workspaceId, replica, lease: assigned.args.lease };
}

/** Releases a lease, as match does when its node is lost: a witness states that the node is silent. */
export async function lose(
  { call, client, deployment }: TestChain,
  ref: LeaseRef,
  spec: WorkspaceSpec,
): Promise<void> {
  const at = deployment.contracts.DockerContract;
  const read = { address: at, abi: dockerContractAbi, functionName: "tenancyOf" } as const;
  const [nodeId] = await client.readContract({ ...read, args: [ref.workspaceId, ref.replica] });
  const { timestamp } = await client.getBlock();
  const statedAt = Number(timestamp);
  const statement = { nodeId, lastHeard: statedAt - 60, statedAt };
  const args = [[ref], [spec], [await signLoss(accounts.witness, deployment, at, statement)]] as const;
  const release = { abi: dockerContractAbi, functionName: "releaseLost", args } as const;
  await call("match", "DockerContract", encodeFunctionData(release));
}

/** Grants or revokes an account's right to act for owners. */
export async function setKeeper({ call }: TestChain, account: Address, allowed: boolean): Promise<void> {
  const set = { abi: dockerContractAbi, functionName: "setKeeper", args: [account, allowed] } as const;
  await call("deployer", "DockerContract", encodeFunctionData(set));
}

/** Orders of the owner. */
export const orders = {
  stop: (chain: TestChain, workspaceId: bigint, leases: LeaseRef[] = []) =>
    setStopped(chain, "stopWorkspace", workspaceId, leases),
  start: (chain: TestChain, workspaceId: bigint, leases: LeaseRef[] = []) =>
    setStopped(chain, "startWorkspace", workspaceId, leases),
  remove: async ({ call }: TestChain, leases: LeaseRef[]) => {
    const remove = { abi: dockerContractAbi, functionName: "requestDelete", args: [leases] } as const;
    await call("owner", "DockerContract", encodeFunctionData(remove));
  },
  close: async ({ call }: TestChain, workspaceId: bigint) => {
    const close = { abi: dockerContractAbi, functionName: "closeWorkspace", args: [workspaceId] } as const;
    await call("owner", "DockerContract", encodeFunctionData(close));
  },
  scale: async ({ call }: TestChain, workspaceId: bigint, replicas: number) => {
    const set = {
      abi: dockerContractAbi,
      functionName: "setReplicas",
      args: [workspaceId, replicas],
    } as const;
    await call("owner", "DockerContract", encodeFunctionData(set));
  },
};

async function setStopped(
  { call }: TestChain,
  functionName: "startWorkspace" | "stopWorkspace",
  workspaceId: bigint,
  leases: LeaseRef[],
): Promise<void> {
  const args = [workspaceId, leases] as const;
  const data = encodeFunctionData({ abi: dockerContractAbi, functionName, args });
  await call("owner", "DockerContract", data);
}
