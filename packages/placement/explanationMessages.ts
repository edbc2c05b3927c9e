import type { PlacementExplanation } from "@ngpu/protocol/placement/request";
import { formatEther } from "viem";
import { type Dimension, dimensions, modelsText } from "./filters.ts";
import type { PlacementRequest } from "./fleet.ts";
import { sizeOfRequirement } from "./gpuMemory.ts";

type Facts = Omit<PlacementExplanation, "messages">;

/**
 * The sentences of an explanation: the placement that would result, the rejected nodes by reason, and the node closest to
 * fitting.
 */
export function explanationMessages(facts: Facts, request: PlacementRequest, replicas: number): string[] {
  const { nodes, fitting, placeable, chosen, nearest } = facts;
  if (nodes === 0) return ["No node has joined the market yet."];
  const messages = [
    chosen === null
      ? `None of ${nodesOf(nodes)} fits.`
      : `${fitting} of ${nodesOf(nodes)} ${fitting === 1 ? "fits" : "fit"}: the first replica would go to node ${chosen.nodeId} ` +
        `for ${hourly(chosen.pricePerSecond)} NGPU an hour; ${placeable} of ${replicas} could be placed now.`,
  ];
  for (const dimension of dimensions) {
    const count = facts.refused[dimension];
    if (count !== undefined) messages.push(`${nodesOf(count)} rejected: ${reasons[dimension](request)}.`);
  }
  const priceMessage = priceMessageOf(facts, request);
  if (priceMessage !== null) messages.push(priceMessage);
  if (chosen === null && nearest !== null) {
    const details = nearest.rejections.map(({ dimension, wanted, has }) =>
      describeRejection(dimension as Dimension, wanted, has),
    );
    messages.push(`The closest match is node ${nearest.nodeId}: ${details.join("; ")}.`);
  }
  if (!facts.possible) messages.push("No node could run the workspace, even if it were online and empty.");
  return messages;
}

function priceMessageOf({ cheapest, chosen }: Facts, request: PlacementRequest): string | null {
  if (chosen !== null || cheapest === null) return null;
  return (
    `The cheapest node that meets all other requirements is node ${cheapest.nodeId}. ` +
    `It costs ${hourly(cheapest.pricePerSecond)} NGPU an hour; your limit is ${hourly(request.maxPricePerSecond)}.`
  );
}

const nodesOf = (count: number) => (count === 1 ? "1 node" : `${count} nodes`);
const cores = (milli: number | string) => {
  const count = Number(milli) / 1_000;
  return `${count} ${count === 1 ? "core" : "cores"}`;
};
const freeGpus = (count: number | string) => `${count} free ${Number(count) === 1 ? "GPU" : "GPUs"}`;
const freePorts = (count: number | string) => `${count} free ${Number(count) === 1 ? "port" : "ports"}`;
const gib = (mib: number | string) => `${Math.round((Number(mib) / 1_024) * 100) / 100} GiB`;
/** A requirement by the size that cards are sold with, where it is one. */
const requiredVram = (mib: number | string) => {
  const size = sizeOfRequirement(Number(mib));
  return size === null ? gib(mib) : `${size} GB`;
};
const capability = (tenths: number | string) => (Number(tenths) / 10).toFixed(1);
const percent = (permille: number | string) => `${Number(permille) / 10}%`;
const milliseconds = (tenths: number | string | null) => `${Number(tenths) / 10} ms`;

/** Converts token units a second to tokens an hour, with four significant digits. */
function hourly(pricePerSecond: bigint | string): string {
  const tokens = Number(formatEther(BigInt(pricePerSecond) * 3_600n));
  return tokens === 0 ? "0" : Number(tokens.toPrecision(4)).toString();
}

/** Why a filter rejects nodes. */
const reasons: Record<Dimension, (request: PlacementRequest) => string> = {
  excluded: () => "excluded",
  status: () => "not online",
  gpuModel: (request) => `GPU model is not ${modelsText(request)}`,
  vramMib: ({ minVramMib }) => `less than ${requiredVram(minVramMib)} VRAM`,
  computeCapability: ({ minComputeCapability }) =>
    `compute capability below ${capability(minComputeCapability)}`,
  region: ({ region }) => `not in ${region}`,
  gpus: ({ wanted }) => `fewer than ${freeGpus(wanted.gpus)}`,
  cpuMilli: ({ wanted }) => `fewer than ${cores(wanted.cpuMilli)} free`,
  memoryMib: ({ wanted }) => `less than ${gib(wanted.memoryMib)} free memory`,
  diskGib: ({ wanted }) => `less than ${wanted.diskGib} GiB free disk space`,
  ports: ({ wanted }) => `fewer than ${freePorts(wanted.ports)}`,
  uptimePermille: ({ minUptimePermille }) => `uptime below ${percent(minUptimePermille)}`,
  downMbps: ({ minDownMbps }) => `download rate below ${minDownMbps} Mbit/s`,
  upMbps: ({ minUpMbps }) => `upload rate below ${minUpMbps} Mbit/s`,
  latencyTenthMs: ({ maxLatencyTenthMs }) =>
    `latency above ${milliseconds(maxLatencyTenthMs)}, or not measured`,
  image: () => "image not present",
  price: ({ maxPricePerSecond }) => `price above ${hourly(maxPricePerSecond)} NGPU an hour`,
};

const units: Partial<Record<Dimension, (value: string) => string>> = {
  vramMib: (value) => `${gib(value)} VRAM`,
  computeCapability: (value) => `compute capability ${capability(value)}`,
  gpus: freeGpus,
  cpuMilli: (value) => `${cores(value)} free`,
  memoryMib: (value) => `${gib(value)} free memory`,
  diskGib: (value) => `${value} GiB free disk space`,
  ports: freePorts,
  uptimePermille: (value) => `${percent(value)} uptime`,
  downMbps: (value) => `${value} Mbit/s down`,
  upMbps: (value) => `${value} Mbit/s up`,
  latencyTenthMs: (value) => (Number.isNaN(Number(value)) ? value : `${milliseconds(value)} latency`),
  price: (value) => `${hourly(value)} NGPU an hour`,
};

function describeRejection(dimension: Dimension, wanted: string, has: string): string {
  const format = units[dimension] ?? ((value: string) => value);
  const required = dimension === "vramMib" ? `${requiredVram(wanted)} VRAM` : format(wanted);
  return `${format(has)} instead of ${required}`;
}
