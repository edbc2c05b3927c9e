import type { FleetNode } from "@ngpu/placement/fleet";

/** An online, measured node with eight GPUs, all of it free. */
export function machine(nodeId: number, given: Partial<FleetNode> = {}): FleetNode {
  const total = { gpus: 8, cpuMilli: 64_000, memoryMib: 256_000, diskGib: 1_000, ports: 100 };
  return {
    nodeId,
    status: "online",
    gpuModel: "0x1111111111111111",
    vramMib: 81_920,
    computeCapability: 90,
    region: null,
    total,
    free: total,
    pricePerSecond: 10n,
    measured: true,
    images: new Set(),
    downMbps: 500,
    upMbps: 500,
    latencyTenthMs: 100,
    uptimePermille: 1_000,
    workspaces: [],
    ...given,
  };
}
