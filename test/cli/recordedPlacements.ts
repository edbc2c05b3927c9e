import { codeOf, releaseReasons } from "@ngpu/contracts-sdk/enumNames";
import { packNodes } from "@ngpu/protocol/placement/nodeList";
import { pad } from "viem";
import { workspaceSpec as anySpec } from "../services/autoExport/fixtures.ts";
import { at } from "./recordedMarket.ts";

export const total = { gpus: 0, cpuMilli: 1_000, memoryMib: 4_096, diskGib: 40, ports: 4 };
export const noGpu = {
  gpuModel: pad("0x", { size: 8 }),
  vramMib: 0,
  computeCapability: 0,
  region: "0x4445",
} as const;
export const zero = pad("0x", { size: 20 });

export const registered = (block: number, nodeId: number, pricePerSecond: bigint) =>
  at(block, "ComputeNode", "NodeRegistered", {
    nodeId,
    key: pad(`0x${nodeId}`, { size: 20 }),
    wallet: zero,
    isBound: false,
    pricePerSecond,
    spec: { ...noGpu, total },
    gpuName: "",
    gpuUuids: [],
  });
export const content = {
  image: pad("0x1"),
  spec: {
    ...anySpec(1),
    maxPricePerSecond: 100n,
    resources: { gpus: 0, cpuMilli: 1_000, memoryMib: 1_024, diskGib: 10, ports: 1 },
  },
  config: JSON.stringify({ image: "chat", placement: { strategy: "cheapest" } }),
};
export const published = (block: number, workspaceId: bigint) =>
  at(block, "DockerContract", "WorkspacePublished", {
    workspaceId,
    owner: zero,
    authorizationId: 1n,
    replicas: 3,
    ...content,
  });
type Lease = Partial<{ workspaceId: bigint; replica: number; lease: number; price: bigint }> &
  Partial<{ decidedAt: bigint; position: number; excluded: number[] }>;
export const assigned = (
  block: number,
  nodeId: number,
  { price = 10n, decidedAt = 5n, position = 0, excluded = [], ...ref }: Lease = {},
  list = packNodes(excluded),
) =>
  at(block, "DockerContract", "Assigned", {
    workspaceId: 1n,
    replica: 0,
    lease: 1,
    ...ref,
    nodeId,
    decidedAt,
    position,
    fence: pad("0x", { size: 8 }),
    pricePerSecond: price,
    start: true,
    excluded: list,
  });
export const ids = (nodeId: number) => ({ workspaceId: 1n, nodeId, replica: 0, lease: 1 });
export const released = (block: number, nodeId: number, reason: (typeof releaseReasons)[number]) =>
  at(block, "DockerContract", "Released", {
    ...ids(nodeId),
    reason: codeOf(releaseReasons, reason),
  });

/** Node 1 is the cheapest, then nodes 2 and 3. Each has room for one replica. */
export const market = [registered(1, 1, 10n), registered(1, 2, 20n), registered(1, 3, 30n), published(3, 1n)];
