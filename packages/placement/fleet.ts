import type { NodeStatus } from "@ngpu/contracts-sdk/enumNames";

/** Resources of a node or a replica: 1/1000 cores, MiB of memory, GiB of disk. */
export type Capacity = { gpus: number; cpuMilli: number; memoryMib: number; diskGib: number; ports: number };

export const capacityDimensions = ["gpus", "cpuMilli", "memoryMib", "diskGib", "ports"] as const;

/** A node's state on the chain at one block. */
export type FleetNode = {
  nodeId: number;
  status: NodeStatus;
  /** Null: no GPU. */
  gpuModel: string | null;
  vramMib: number;
  /** Compute capability × 10. */
  computeCapability: number;
  /** Null: not declared. */
  region: string | null;
  total: Capacity;
  free: Capacity;
  /** Token units (1e-18). */
  pricePerSecond: bigint;
  /** The node has a measurement that is valid at the block's time. */
  measured: boolean;
  /** From that measurement; 0 without one. */
  downMbps: number;
  upMbps: number;
  /** Tenths of a millisecond, from that measurement; null without one. */
  latencyTenthMs: number | null;
  /** Share of recent heartbeat slots in which the node was present, permille; 0 when no slot counts for it. */
  uptimePermille: number;
  /** Digests of the images that its leases have downloaded. */
  images: ReadonlySet<string>;
  /** Ids of the workspaces of its replicas, one entry per replica. */
  workspaces: readonly bigint[];
};

/** The block of a fleet's state. `time` is in Unix seconds. */
export type FleetBlock = { number: bigint; hash: string; time: number };

/** The state of all nodes at one block. */
export type Fleet = { block: FleetBlock; nodes: readonly FleetNode[] };

/** Seconds for which a placement that has not reached the chain counts in the position of later ones. */
export const pendingSeconds = 60;

/** The requirements of a replica. The decision depends on them and the fleet only. */
export type PlacementRequest = {
  workspaceId: bigint;
  /** Number of earlier placements of the workspace at this state. Each reserves its capacity first. */
  position: number;
  /** Nodes that were tried before. */
  excluded: readonly number[];
  image: string;
  /** Nodes that have the image: treated like others (`none`), ranked first (`prefer`), or the only ones (`require`). */
  imageAffinity: "none" | "prefer" | "require";
  /** Whether replicas of the workspace go to different nodes or share nodes. */
  replicas: "spread" | "pack";
  /** Null: any. */
  gpuModel: string | null;
  /** One of several models, where a name stands for more than one; undefined: any. */
  gpuModels?: readonly string[] | undefined;
  minVramMib: number;
  minComputeCapability: number;
  /** Null: any. */
  region: string | null;
  wanted: Capacity;
  minDownMbps: number;
  minUpMbps: number;
  minUptimePermille: number;
  /** Tenths of a millisecond; null: any, including nodes without a measurement. */
  maxLatencyTenthMs: number | null;
  maxPricePerSecond: bigint;
};

export type Strategy = {
  /** Lower is better; never NaN. Pure and a function of the node only, so an index can store it. */
  score: (node: FleetNode) => number;
  /** Nodes that have the image rank before all others, regardless of the score. */
  imageFirst?: true;
};
