import { type Capacity, capacityDimensions, type FleetNode, type PlacementRequest } from "./fleet.ts";

/** The filters, in order. A node is counted under the first one that rejects it. */
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

/** The required value and the node's, as text. `shortfall` is from 0 to 1; it is 1 for a value that is not an amount. */
export type Rejection = { dimension: Dimension; wanted: string; has: string; shortfall: number };

type Filter<Facts = FleetNode> = (
  node: Facts,
  request: PlacementRequest,
) => Omit<Rejection, "dimension"> | null;

const classDimensions = ["status", "gpuModel", "vramMib", "computeCapability", "region"] as const;

/** Fields of a node that no reservation, price change or measurement affects. */
type ClassFields = Pick<FleetNode, (typeof classDimensions)[number]>;

const mismatch = (wanted: string, has: string) => ({ wanted, has, shortfall: 1 });
const short = (wanted: number, has: number) =>
  has < wanted ? { wanted: `${wanted}`, has: `${has}`, shortfall: 1 - has / wanted } : null;
const capacityFilter =
  (dimension: keyof Capacity): Filter =>
  (node, request) =>
    short(request.wanted[dimension], node.free[dimension]);

/** Whether a request accepts a GPU model. */
export function acceptsModel(
  { gpuModel, gpuModels }: Pick<PlacementRequest, "gpuModel" | "gpuModels">,
  model: string | null,
): boolean {
  if (gpuModel !== null && gpuModel !== model) return false;
  return gpuModels === undefined || (model !== null && gpuModels.includes(model));
}

/** The models that a request accepts, as text. */
export const modelsText = ({ gpuModel, gpuModels }: Pick<PlacementRequest, "gpuModel" | "gpuModels">) =>
  gpuModel ?? (gpuModels ?? []).join(" or ");

const classFilters: Record<keyof ClassFields, Filter<ClassFields>> = {
  status: (node) => (node.status === "online" ? null : mismatch("online", node.status)),
  gpuModel: (node, request) =>
    acceptsModel(request, node.gpuModel) ? null : mismatch(modelsText(request), node.gpuModel ?? "none"),
  vramMib: (node, request) => short(request.minVramMib, node.vramMib),
  computeCapability: (node, request) => short(request.minComputeCapability, node.computeCapability),
  region: (node, { region }) =>
    region === null || region === node.region ? null : mismatch(region, node.region ?? "not set"),
};

/** One filter per dimension; null: the node passes. */
const filters: Record<Dimension, Filter> = {
  excluded: (node, request) =>
    request.excluded.includes(node.nodeId) ? mismatch("another node", `node ${node.nodeId}`) : null,
  ...classFilters,
  gpus: capacityFilter("gpus"),
  cpuMilli: capacityFilter("cpuMilli"),
  memoryMib: capacityFilter("memoryMib"),
  diskGib: capacityFilter("diskGib"),
  ports: capacityFilter("ports"),
  uptimePermille: (node, request) => short(request.minUptimePermille, node.uptimePermille),
  downMbps: (node, request) => short(request.minDownMbps, node.downMbps),
  upMbps: (node, request) => short(request.minUpMbps, node.upMbps),
  latencyTenthMs: (node, request) => latencyRejection(node.latencyTenthMs, request.maxLatencyTenthMs),
  image: (node, { image, imageAffinity }) =>
    imageAffinity !== "require" || node.images.has(image) ? null : mismatch(image, "not present"),
  price: priceRejection,
};

const orderedFilters = dimensions.map((dimension) => [dimension, filters[dimension]] as const);

/** All rejections of a node; empty when it fits. */
export function rejectionsOf(node: FleetNode, request: PlacementRequest): Rejection[] {
  const rejections: Rejection[] = [];
  for (const [dimension, filter] of orderedFilters) {
    const rejection = filter(node, request);
    if (rejection !== null) rejections.push({ dimension, ...rejection });
  }
  return rejections;
}

/** The rejections that all nodes of one class have in common. */
export function classRejectionsOf(node: ClassFields, request: PlacementRequest): Rejection[] {
  const rejections: Rejection[] = [];
  for (const dimension of classDimensions) {
    const rejection = classFilters[dimension](node, request);
    if (rejection !== null) rejections.push({ dimension, ...rejection });
  }
  return rejections;
}

/** The first filter that rejects a node; null when it fits. */
export function firstRejection(node: FleetNode, request: PlacementRequest): Dimension | null {
  for (const [dimension, filter] of orderedFilters) if (filter(node, request) !== null) return dimension;
  return null;
}

function latencyRejection(has: number | null, wanted: number | null): Omit<Rejection, "dimension"> | null {
  if (wanted === null || (has !== null && has <= wanted)) return null;
  if (has === null) return mismatch(`${wanted}`, "not measured");
  return { wanted: `${wanted}`, has: `${has}`, shortfall: 1 - wanted / has };
}

/** The rejection of a node above the highest price; null when its price is within it. */
export function priceRejection(
  node: FleetNode,
  request: PlacementRequest,
): Omit<Rejection, "dimension"> | null {
  const over = node.pricePerSecond - request.maxPricePerSecond;
  if (over <= 0n) return null;
  return {
    wanted: request.maxPricePerSecond.toString(),
    has: node.pricePerSecond.toString(),
    // Divided as bigint, in millionths: a Number of token units would lose digits.
    shortfall: Number((over * 1_000_000n) / node.pricePerSecond) / 1_000_000,
  };
}

/** `free` minus `wanted`. */
export function without(free: Capacity, wanted: Capacity): Capacity {
  return {
    gpus: free.gpus - wanted.gpus,
    cpuMilli: free.cpuMilli - wanted.cpuMilli,
    memoryMib: free.memoryMib - wanted.memoryMib,
    diskGib: free.diskGib - wanted.diskGib,
    ports: free.ports - wanted.ports,
  };
}
