import type { NodeStatus } from "@ngpu/contracts-sdk/enumNames";

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
  /** From that measurement; 0 without one. */
  downMbps: number;
  upMbps: number;
  /** Tenths of a millisecond, from that measurement; null without one. */
  latencyTenthMs: number | null;
  /** In how many of 1,000 recent heartbeat slots it was present; 0 for a node that no slot has counted. */
  uptimePermille: number;
  /** Digests of the images that its leases have brought there. */
  images: ReadonlySet<string>;
  /** Ids of the workspaces it has replicas of, one entry a replica. */
  workspaces: readonly bigint[];
};

/** The newest block that a fleet shows. */
export type FleetBlock = { number: bigint; hash: string; time: number };

/** The state of the chain at one block, as far as placement goes. */
export type Fleet = { block: FleetBlock; nodes: readonly FleetNode[] };

/** What a replica needs. Nothing but this and the fleet decides where it goes. */
export type PlacementRequest = {
  workspaceId: bigint;
  /** How many answers for the same workspace were given at this state before: each of them takes its capacity first. */
  position: number;
  /** Nodes that were tried already. */
  excluded: readonly number[];
  image: string;
  /** What having the image is worth: nothing, to come first, or that only such nodes fit. */
  imageAffinity: "none" | "prefer" | "require";
  /** Whether replicas of the workspace keep away from each other or come together. */
  replicas: "spread" | "pack";
  /** Null: any. */
  gpuModel: string | null;
  minVramMib: number;
  minComputeCapability: number;
  /** Null: any. */
  region: string | null;
  wanted: Capacity;
  minDownMbps: number;
  minUpMbps: number;
  minUptimePermille: number;
  /** Null: any, also one that nobody has measured. */
  maxLatencyTenthMs: number | null;
  maxPricePerSecond: bigint;
};

export type Strategy = {
  /** Lower is better; never NaN. Pure, and of the node alone, so that an index can keep nodes in its order. */
  score: (node: FleetNode) => number;
  /** Nodes that have the image come before all others, whatever the score. */
  imageFirst?: true;
};
