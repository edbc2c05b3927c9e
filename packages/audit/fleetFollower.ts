import { assignmentStates, nodeStatuses } from "@ngpu/contracts-sdk/enumNames";
import { without } from "@ngpu/placement/filters";
import type { Capacity, FleetBlock, FleetNode } from "@ngpu/placement/fleet";
import { provenCapacity, provenHardware } from "@ngpu/placement/provenCapacity";
import { amount, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import type { WaveOutcome } from "@ngpu/waves/history";
import { type Proofs, proofsOf } from "@ngpu/waves/proofs";
import { hardwareLimit } from "@ngpu/waves/provenHardware";
import type { Hex } from "viem";
import { createMeasuredNodes, type MeasuredNodes } from "./measuredNodes.ts";
import { createRecentUptime } from "./recentUptime.ts";
import { capacityOf, noteSpec, regionOf, unlessZero, type WorkspaceSpec } from "./workspaceLogs.ts";

/** Every node, followed log by log, as match reads it from the exported chain. */
export type FleetFollower = {
  /** Takes the next log of the chain. */
  take(log: ChainLog): void;
  /** The nodes at a block, by id: all of its logs were taken, and none after it. */
  at(block: FleetBlock): FleetNode[];
};

type NodeSpec = { gpuModel: Hex; vramMib: number; computeCapability: number; region: Hex; total: Capacity };
type NodeState = {
  spec: NodeSpec;
  price: bigint;
  status: (typeof nodeStatuses)[number];
  registered: bigint;
};
/** A lease that holds capacity. It keeps the spec that it was assigned with. */
type Held = {
  nodeId: number;
  workspaceId: bigint;
  assignedBlock: bigint;
  hasImage: boolean;
  spec: WorkspaceSpec;
};
/** A node as it was last put together, and what that depended on besides its own logs. */
type Kept = { node: FleetNode; round: bigint | undefined; uptimePermille: number; proofs: Proofs };

/** @param waves Those that the chain has judged, oldest first. Each counts from its last block on. */
export function createFleetFollower(waves: readonly WaveOutcome[]): FleetFollower {
  const nodes = new Map<number, NodeState>();
  const specs = new Map<bigint, WorkspaceSpec>();
  const leases = new Map<string, Held>();
  const byNode = new Map<number, Map<string, Held>>();
  const measurements = createMeasuredNodes();
  const uptime = createRecentUptime();
  const kept = new Map<number, Kept>();
  const proofsAt = createProofs(waves);
  return {
    take: (log) => {
      noteSpec(specs, log);
      const changed = [
        takeNode(nodes, log),
        takeLease({ leases, byNode, specs }, log),
        measurements.take(log),
      ];
      for (const nodeId of changed) if (nodeId !== undefined) kept.delete(nodeId);
      uptime.take(log);
    },
    at: (block) => {
      const [uptimes, proofs] = [uptime.now(), proofsAt(block.number)];
      const fleet = [...nodes].map(([nodeId, state]) => {
        const measured = measurements.of(nodeId, block.time);
        const uptimePermille = uptimes.get(nodeId) ?? 0;
        const before = kept.get(nodeId);
        const isSame =
          before?.round === measured?.round &&
          before?.uptimePermille === uptimePermille &&
          before?.proofs === proofs;
        if (before !== undefined && isSame) return before.node;
        const own = [...(byNode.get(nodeId)?.values() ?? [])];
        const node = fleetNode(nodeId, state, own, { measured, uptimePermille, proofs });
        kept.set(nodeId, { node, round: measured?.round, uptimePermille, proofs });
        return node;
      });
      return fleet.sort((a, b) => a.nodeId - b.nodeId);
    },
  };
}

/** What the waves that ended by a block proved. */
function createProofs(waves: readonly WaveOutcome[]): (block: bigint) => Proofs {
  let known: { ended: number; proofs: Proofs } | undefined;
  return (block) => {
    const ended = waves.filter(({ blocks: { revealed } }) => BigInt(revealed) <= block);
    if (known?.ended !== ended.length) known = { ended: ended.length, proofs: proofsOf(ended) };
    return known.proofs;
  };
}

/** @returns The node that changed. */
function takeNode(nodes: Map<number, NodeState>, { name, args, block }: ChainLog): number | undefined {
  if (!["NodeRegistered", "NodeSpecUpdated", "NodeStatusChanged"].includes(name)) return undefined;
  const nodeId = number(args.nodeId);
  const before = nodes.get(nodeId);
  const declared = () => ({ spec: args.spec as NodeSpec, price: amount(args.pricePerSecond) });
  if (name === "NodeRegistered") nodes.set(nodeId, { ...declared(), status: "online", registered: block });
  else if (before === undefined) return undefined;
  else if (name === "NodeSpecUpdated") nodes.set(nodeId, { ...before, ...declared() });
  else nodes.set(nodeId, { ...before, status: nodeStatuses[number(args.status)] ?? "none" });
  return nodeId;
}

type Leases = {
  leases: Map<string, Held>;
  byNode: Map<number, Map<string, Held>>;
  specs: ReadonlyMap<bigint, WorkspaceSpec>;
};

/** @returns The node whose leases changed. */
function takeLease({ leases, byNode, specs }: Leases, { name, args, block }: ChainLog): number | undefined {
  if (!["Assigned", "StateChanged", "Released"].includes(name)) return undefined;
  const key = leaseKey(args);
  const spec = name === "Assigned" ? specs.get(amount(args.workspaceId)) : undefined;
  if (spec !== undefined) {
    const ids = { nodeId: number(args.nodeId), workspaceId: amount(args.workspaceId) };
    const held = { ...ids, assignedBlock: block, hasImage: false, spec };
    leases.set(key, held);
    byNode.set(ids.nodeId, (byNode.get(ids.nodeId) ?? new Map<string, Held>()).set(key, held));
  }
  const lease = leases.get(key);
  if (lease === undefined) return undefined;
  if (name === "StateChanged") {
    lease.hasImage = ["ready", "running", "stopped"].includes(assignmentStates[number(args.state)] ?? "none");
  }
  if (name === "Released") {
    leases.delete(key);
    byNode.get(lease.nodeId)?.delete(key);
  }
  return lease.nodeId;
}

function fleetNode(
  nodeId: number,
  { spec, price, status, registered }: NodeState,
  own: readonly Held[],
  given: { measured: ReturnType<MeasuredNodes["of"]>; uptimePermille: number; proofs: Proofs },
): FleetNode {
  const { uptimePermille, proofs } = given;
  const measured = given.measured?.measured;
  const total = capacityOf(spec.total);
  const free = own.reduce((left, { spec: { resources } }) => without(left, resources), total);
  const gpuModel = unlessZero(spec.gpuModel);
  const declared = { gpus: total.gpus, gpuModel, vramMib: number(spec.vramMib) };
  const limit = hardwareLimit(proofs, nodeId, registered, declared);
  const { vramMib, ...proven } = provenHardware({ total, free, vramMib: declared.vramMib }, limit);
  const found = measured && {
    diskGib: measured.diskFreeGib,
    ports: measured.portsReachable,
    block: measured.block,
  };
  const disks = own.map(({ spec: { resources }, assignedBlock }) => ({
    diskGib: resources.diskGib,
    assignedBlock,
  }));
  return {
    nodeId,
    status,
    vramMib,
    computeCapability: number(spec.computeCapability),
    gpuModel,
    region: regionOf(spec.region),
    pricePerSecond: price,
    ...provenCapacity(proven, found, disks),
    measured: measured !== undefined,
    uptimePermille,
    latencyTenthMs: measured?.latencyTenthMs ?? null,
    downMbps: measured?.downMbps ?? 0,
    upMbps: measured?.upMbps ?? 0,
    images: new Set(own.filter(({ hasImage }) => hasImage).map(({ spec: { image } }) => image)),
    workspaces: own.map(({ workspaceId }) => workspaceId),
  };
}
