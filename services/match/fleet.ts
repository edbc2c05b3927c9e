import type { NodeStatus } from "../shared/chain/names.ts";

/** What a node offers, or a replica takes. */
export type Capacity = { gpus: number; cpuMilli: number; memoryMib: number; diskGib: number; ports: number };

export const capacityDimensions = ["gpus", "cpuMilli", "memoryMib", "diskGib", "ports"] as const;

/** A node as the chain shows it at one block. */
export type FleetNode = {
  nodeId: number;
  status: NodeStatus;
  /** Null: no GPU. */
  gpuModel: string | null;
  vramMib: number;
  /** Times ten. */
  computeCapability: number;
  /** Null: not told. */
  region: string | null;
  total: Capacity;
  free: Capacity;
  /** Token units (1e-18). */
  pricePerSecond: bigint;
  /** A measurement of it is valid at the block's time. */
  measured: boolean;
  /** Digests of the images that its leases have brought there. */
  images: ReadonlySet<string>;
  /** Ids of the workspaces it has replicas of, one entry a replica. */
  workspaces: readonly bigint[];
};

/** The state of the chain at one block, as far as placement goes. */
export type Fleet = { block: { number: bigint; hash: string; time: number }; nodes: readonly FleetNode[] };

/** What a replica needs. Nothing but this and the fleet decides where it goes. */
export type PlacementRequest = {
  workspaceId: bigint;
  /** How many answers for the same workspace were given at this state before: each of them takes its capacity first. */
  place: number;
  /** Nodes that were tried already. */
  excluded: readonly number[];
  image: string;
  /** Null: any. */
  gpuModel: string | null;
  minVramMib: number;
  minComputeCapability: number;
  /** Null: any. */
  region: string | null;
  wanted: Capacity;
  maxPricePerSecond: bigint;
};

/** Lower is better. Pure: the same node and request give the same score anywhere. */
export type Strategy = (node: FleetNode, request: PlacementRequest) => bigint;
