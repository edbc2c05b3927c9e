import { assignmentStates, nodeStatuses } from "@ngpu/contracts-sdk/enumNames";
import { without } from "@ngpu/placement/filters";
import type { Capacity, FleetBlock, FleetNode } from "@ngpu/placement/fleet";
import { provenCapacity, provenHardware } from "@ngpu/placement/provenCapacity";
import { implausiblePart, type measurementBounds } from "@ngpu/protocol/measurementBounds";
import { countPresence, uptimeSlots } from "@ngpu/protocol/presence";
import { amount, by, type ChainLog, number } from "@ngpu/rewards/chainLogs";
import { presenceOf } from "@ngpu/rewards/logFacts";
import { leaseKey } from "@ngpu/rewards/uptimeLogs";
import type { WaveOutcome } from "@ngpu/waves/history";
import { type Proofs, proofsOf } from "@ngpu/waves/proofs";
import { hardwareLimit } from "@ngpu/waves/provenHardware";
import type { Hex } from "viem";
import { capacityOf, noteSpec, regionOf, unlessZero, type WorkspaceSpec } from "./workspaceLogs.ts";

/** The events that placements depend on, by contract. */
export const placementEvents = {
  ComputeNode: [
    "NodeRegistered",
    "NodeSpecUpdated",
    "NodeStatusChanged",
    "HeartbeatsCommitted",
    "HeartbeatsDisputed",
    "PresenceChallenged",
  ],
  DockerContract: [
    "WorkspacePublished",
    "WorkspaceUpdated",
    "WorkspaceClosed",
    "Assigned",
    "StateChanged",
    "DeleteRequested",
    "Released",
    "PriceLimited",
    "ItemRefused",
  ],
  Measure: ["MeasureRequested", "MeasureFinalized"],
} as const;

type Args = Record<string, unknown>;
type NodeSpec = { gpuModel: Hex; vramMib: number; computeCapability: number; region: Hex; total: Capacity };
type Held = {
  nodeId: number;
  workspaceId: bigint;
  assignedBlock: bigint;
  hasImage: boolean;
  spec: WorkspaceSpec;
};
type Measured = Record<keyof typeof measurementBounds | "portsReachable", number> & { block: bigint };

/** Every node as of a block, as match reads it from the exported chain. */
export function fleetOfLogs(
  logs: readonly ChainLog[],
  block: FleetBlock,
  waves: readonly WaveOutcome[],
): FleetNode[] {
  const known = logs.filter(by(block.number));
  const held = Map.groupBy(heldBy(known), ({ nodeId }) => nodeId);
  const measured = measurementsBy(known, block.time);
  const uptimes = uptimesBy(known);
  const proofs = proofsOf(waves.filter(({ blocks: { revealed } }) => BigInt(revealed) <= block.number));
  return [...nodesBy(known)].map(([nodeId, node]) =>
    fleetNode(nodeId, node, held.get(nodeId) ?? [], {
      measured: measured.get(nodeId),
      uptimePermille: uptimes.get(nodeId) ?? 0,
      proofs,
    }),
  );
}

function fleetNode(
  nodeId: number,
  { spec, price, status, registered }: NodeState,
  own: Held[],
  given: { measured: Measured | undefined; uptimePermille: number; proofs: Proofs },
): FleetNode {
  const { measured, uptimePermille, proofs } = given;
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
  const leases = own.map(({ spec: { resources }, assignedBlock }) => ({
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
    ...provenCapacity(proven, found, leases),
    measured: measured !== undefined,
    uptimePermille,
    latencyTenthMs: measured?.latencyTenthMs ?? null,
    downMbps: measured?.downMbps ?? 0,
    upMbps: measured?.upMbps ?? 0,
    images: new Set(own.filter(({ hasImage }) => hasImage).map(({ spec: { image } }) => image)),
    workspaces: own.map(({ workspaceId }) => workspaceId),
  };
}

type NodeState = {
  spec: NodeSpec;
  price: bigint;
  status: (typeof nodeStatuses)[number];
  registered: bigint;
};

function nodesBy(logs: readonly ChainLog[]): Map<number, NodeState> {
  const nodes = new Map<number, NodeState>();
  for (const { name, args, block } of logs) {
    const nodeId = number(args.nodeId);
    const before = nodes.get(nodeId);
    const declared = () => ({ spec: args.spec as NodeSpec, price: amount(args.pricePerSecond) });
    if (name === "NodeRegistered") nodes.set(nodeId, { ...declared(), status: "online", registered: block });
    if (before === undefined) continue;
    if (name === "NodeSpecUpdated") nodes.set(nodeId, { ...before, ...declared() });
    if (name === "NodeStatusChanged")
      nodes.set(nodeId, { ...before, status: nodeStatuses[number(args.status)] ?? "none" });
  }
  return new Map([...nodes].sort(([a], [b]) => a - b));
}

/** The leases that hold capacity, by workspace and replica. A lease keeps the spec that it was assigned with. */
function heldBy(logs: readonly ChainLog[]): Held[] {
  const leases = new Map<string, Held>();
  const specs = new Map<bigint, WorkspaceSpec>();
  for (const log of logs) {
    noteSpec(specs, log);
    const { name, args, block } = log;
    const key = leaseKey(args);
    const spec = name === "Assigned" ? specs.get(amount(args.workspaceId)) : undefined;
    if (spec !== undefined) {
      const ids = { nodeId: number(args.nodeId), workspaceId: amount(args.workspaceId) };
      leases.set(key, { ...ids, assignedBlock: block, hasImage: false, spec });
    }
    const lease = leases.get(key);
    if (name === "StateChanged" && lease !== undefined) {
      lease.hasImage = ["ready", "running", "stopped"].includes(
        assignmentStates[number(args.state)] ?? "none",
      );
    }
    if (name === "Released") leases.delete(key);
  }
  return [...leases.values()];
}

/** Each node's valid measurement at a time. */
function measurementsBy(logs: readonly ChainLog[], time: number): Map<number, Measured> {
  const drawBlocks = new Map<bigint, bigint>();
  const latest = new Map<number, { round: bigint; measured: Measured }>();
  for (const { name, args } of logs) {
    if (name === "MeasureRequested") drawBlocks.set(amount(args.roundId), amount(args.drawBlock));
    if (name !== "MeasureFinalized" || number(args.expiresAt) <= time) continue;
    const median = args.median as Args;
    const values = Object.fromEntries(
      Object.entries(median).map(([key, value]) => [key, Number(value)]),
    ) as Omit<Measured, "block">;
    const [round, nodeId] = [amount(args.roundId), number(args.nodeId)];
    if (median.absent === true || implausiblePart(values) !== undefined) continue;
    if ((latest.get(nodeId)?.round ?? -1n) >= round) continue;
    latest.set(nodeId, { round, measured: { ...values, block: drawBlocks.get(round) ?? 0n } });
  }
  return new Map([...latest].map(([nodeId, { measured }]) => [nodeId, measured]));
}

/** Each node's share of present slots among the newest slots, permille. */
function uptimesBy(logs: readonly ChainLog[]): Map<number, number> {
  const committed = logs
    .filter(({ name }) => name === "HeartbeatsCommitted")
    .map(({ args }) => number(args.slot));
  const newest = committed.sort((a, b) => b - a).slice(0, uptimeSlots);
  if (newest.length === 0) return new Map();
  const range = { firstSlot: Math.min(...newest), endSlot: Math.max(...newest) + 1 };
  const upTo = logs.at(-1)?.block ?? 0n;
  return new Map(
    Array.from(countPresence(presenceOf(logs, upTo, range)), ([nodeId, { presentSlots, totalSlots }]) => [
      nodeId,
      Math.floor((presentSlots * 1_000) / totalSlots),
    ]),
  );
}
