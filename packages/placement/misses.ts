import { type Capacity, capacityDimensions, type FleetNode, type PlacementRequest } from "./fleet.ts";

/** Why a node cannot take a replica, in the order in which a node is counted: the first one is its refusal. */
export const dimensions = [
  "excluded",
  "status",
  "gpuModel",
  "vramMib",
  "computeCapability",
  "region",
  ...capacityDimensions,
  "uptimePermille",
  "downMbps",
  "upMbps",
  "latencyTenthMs",
  "image",
  "price",
] as const;

export type Dimension = (typeof dimensions)[number];

/** What was wanted and what the node has, as text; `shortfall` is 0 to 1 of what was wanted, 1 for what is no amount. */
export type Miss = { dimension: Dimension; wanted: string; has: string; shortfall: number };

type Check<Facts = FleetNode> = (node: Facts, request: PlacementRequest) => Omit<Miss, "dimension"> | null;

const kindDimensions = ["status", "gpuModel", "vramMib", "computeCapability", "region"] as const;

/** What of a node no reservation, price or measurement changes. */
type Kind = Pick<FleetNode, (typeof kindDimensions)[number]>;

const other = (wanted: string, has: string) => ({ wanted, has, shortfall: 1 });
const short = (wanted: number, has: number) =>
  has < wanted ? { wanted: `${wanted}`, has: `${has}`, shortfall: 1 - has / wanted } : null;
const shortOf =
  (dimension: keyof Capacity): Check =>
  (node, request) =>
    short(request.wanted[dimension], node.free[dimension]);

const kindChecks: Record<keyof Kind, Check<Kind>> = {
  status: (node) => (node.status === "online" ? null : other("online", node.status)),
  gpuModel: (node, { gpuModel }) =>
    gpuModel === null || gpuModel === node.gpuModel ? null : other(gpuModel, node.gpuModel ?? "none"),
  vramMib: (node, request) => short(request.minVramMib, node.vramMib),
  computeCapability: (node, request) => short(request.minComputeCapability, node.computeCapability),
  region: (node, { region }) =>
    region === null || region === node.region ? null : other(region, node.region ?? "not told"),
};

/** One check a dimension: null when the node has what is wanted. */
const checks: Record<Dimension, Check> = {
  excluded: (node, request) =>
    request.excluded.includes(node.nodeId) ? other("another node", `node ${node.nodeId}`) : null,
  ...kindChecks,
  gpus: shortOf("gpus"),
  cpuMilli: shortOf("cpuMilli"),
  memoryMib: shortOf("memoryMib"),
  diskGib: shortOf("diskGib"),
  ports: shortOf("ports"),
  uptimePermille: (node, request) => short(request.minUptimePermille, node.uptimePermille),
  downMbps: (node, request) => short(request.minDownMbps, node.downMbps),
  upMbps: (node, request) => short(request.minUpMbps, node.upMbps),
  latencyTenthMs: (node, request) => tooFar(node.latencyTenthMs, request.maxLatencyTenthMs),
  image: (node, { image, imageAffinity }) =>
    imageAffinity !== "require" || node.images.has(image) ? null : other(image, "not there"),
  price: priceMiss,
};

const inOrder = dimensions.map((dimension) => [dimension, checks[dimension]] as const);

/** Everything that keeps the node from taking the replica; empty when it fits. */
export function missesOf(node: FleetNode, request: PlacementRequest): Miss[] {
  const misses: Miss[] = [];
  for (const [dimension, check] of inOrder) {
    const miss = check(node, request);
    if (miss !== null) misses.push({ dimension, ...miss });
  }
  return misses;
}

/** Those of `missesOf` that all nodes of the same kind share. */
export function kindMissesOf(kind: Kind, request: PlacementRequest): Miss[] {
  const misses: Miss[] = [];
  for (const dimension of kindDimensions) {
    const miss = kindChecks[dimension](kind, request);
    if (miss !== null) misses.push({ dimension, ...miss });
  }
  return misses;
}

/** The first of `missesOf`; null when the node fits. */
export function firstMiss(node: FleetNode, request: PlacementRequest): Dimension | null {
  for (const [dimension, check] of inOrder) if (check(node, request) !== null) return dimension;
  return null;
}

function tooFar(has: number | null, wanted: number | null): Omit<Miss, "dimension"> | null {
  if (wanted === null || (has !== null && has <= wanted)) return null;
  if (has === null) return other(`${wanted}`, "not measured");
  return { wanted: `${wanted}`, has: `${has}`, shortfall: 1 - wanted / has };
}

/** What keeps a node from being cheap enough; null when it is. */
export function priceMiss(node: FleetNode, request: PlacementRequest): Omit<Miss, "dimension"> | null {
  const over = node.pricePerSecond - request.maxPricePerSecond;
  if (over <= 0n) return null;
  return {
    wanted: request.maxPricePerSecond.toString(),
    has: node.pricePerSecond.toString(),
    // In millionths first: a Number of token units would lose digits.
    shortfall: Number((over * 1_000_000n) / node.pricePerSecond) / 1_000_000,
  };
}

/** What stays of `free` when `wanted` is taken. */
export function without(free: Capacity, wanted: Capacity): Capacity {
  return {
    gpus: free.gpus - wanted.gpus,
    cpuMilli: free.cpuMilli - wanted.cpuMilli,
    memoryMib: free.memoryMib - wanted.memoryMib,
    diskGib: free.diskGib - wanted.diskGib,
    ports: free.ports - wanted.ports,
  };
}
