import type { Capacity, PlacementRequest } from "@ngpu/placement/fleet";
import { preferencesIn, requestOf } from "@ngpu/placement/preferences";
import type { PlacementPreferences } from "@ngpu/protocol/placement/preferences";
import { amount, by, type ChainLog, number, text } from "@ngpu/rewards/chainLogs";
import { type Hex, hexToString } from "viem";

/** A workspace's spec and configuration, as of a block. */
export type WorkspaceSpec = {
  image: string;
  gpuModel: Hex;
  minVramMib: number;
  minComputeCapability: number;
  region: Hex;
  resources: Capacity;
  maxPricePerSecond: bigint;
  config: string;
};

/** Keeps the newest spec of each workspace. */
export function noteSpec(specs: Map<bigint, WorkspaceSpec>, { name, args }: ChainLog): void {
  if (name !== "WorkspacePublished" && name !== "WorkspaceUpdated") return;
  const spec = args.spec as Omit<WorkspaceSpec, "config">;
  specs.set(amount(args.workspaceId), {
    ...spec,
    image: text(args.image),
    config: String(args.config),
    resources: capacityOf(spec.resources),
    maxPricePerSecond: amount(spec.maxPricePerSecond),
  });
}

export type WantedReplica = { request: PlacementRequest; preferences: PlacementPreferences };

/** The placement request of a workspace as of a block; undefined when it was not open then. */
export function wantedOf(
  logs: readonly ChainLog[],
  {
    workspaceId,
    block,
    ...given
  }: Pick<PlacementRequest, "workspaceId" | "position" | "excluded"> & { block: bigint },
): WantedReplica | undefined {
  const specs = new Map<bigint, WorkspaceSpec>();
  for (const log of logs.filter(by(block))) {
    noteSpec(specs, log);
    if (log.name === "WorkspaceClosed") specs.delete(amount(log.args.workspaceId));
  }
  const spec = specs.get(workspaceId);
  if (spec === undefined) return undefined;
  const preferences = preferencesIn(spec.config);
  const request = {
    ...requestOf(preferences),
    ...given,
    workspaceId,
    image: spec.image,
    wanted: spec.resources,
    gpuModel: unlessZero(spec.gpuModel),
    region: regionOf(spec.region),
    minVramMib: number(spec.minVramMib),
    minComputeCapability: number(spec.minComputeCapability),
    maxPricePerSecond: spec.maxPricePerSecond,
  };
  return { request, preferences };
}

/** The five resources, without the other fields of a decoded struct. */
export function capacityOf({ gpus, cpuMilli, memoryMib, diskGib, ports }: Capacity): Capacity {
  return { gpus, cpuMilli, memoryMib, diskGib, ports };
}

export const unlessZero = (value: Hex): string | null => (/^0x0*$/.test(value) ? null : text(value));

/** Two letters; other bytes as hex. Null: not declared. */
export function regionOf(code: Hex): string | null {
  if (unlessZero(code) === null) return null;
  return /^0x(4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a]){2}$/i.test(code) ? hexToString(code) : text(code);
}
