import { firstRejection } from "@ngpu/placement/filters";
import type { FleetNode, PlacementRequest } from "@ngpu/placement/fleet";
import { requestOf } from "@ngpu/placement/preferences";
import type { StrategyName } from "@ngpu/protocol/placement/strategies";
import { strategies } from "../../../packages/placement/strategies/all.ts";
import { drawImage, gpus, priceOf, regions } from "./fleet.ts";
import type { Random } from "./random.ts";

export type Asked = { request: PlacementRequest; strategy: StrategyName; replicas: number };

/** Requests in quartiles by the share of the empty fleet that fits them, and impossible ones. */
export type Pool = {
  quartiles: Asked[][];
  impossible: Asked[];
  /** The largest share of nodes that fits a request, per quartile. */
  shares: number[];
};

const poolSize = 4_000;
const sampleSize = 2_000;

/** Draws the pool. Shares are estimated from a sample of the fleet. */
export function drawPool(random: Random, fleet: readonly FleetNode[]): Pool {
  const sample = Array.from({ length: Math.min(sampleSize, fleet.length) }, () => random.pick(fleet));
  const shareOf = (requested: Asked) =>
    sample.filter((node) => firstRejection(node, requested.request) === null).length / sample.length;
  const drawn: { requested: Asked; share: number }[] = [];
  for (let id = 1n; drawn.length < poolSize; id += 1n) {
    const requested = drawAsked(random, id);
    const share = shareOf(requested);
    if (share > 0) drawn.push({ requested, share });
  }
  drawn.sort((a, b) => a.share - b.share);
  const quarter = poolSize / 4;
  const parts = [0, 1, 2, 3].map((part) => drawn.slice(part * quarter, (part + 1) * quarter));
  const impossible = Array.from({ length: 200 }, (_, index) =>
    spoil(random, drawAsked(random, BigInt(index))),
  );
  return {
    quartiles: parts.map((part) => part.map(({ requested }) => requested)),
    impossible,
    shares: parts.map((part) => part.at(-1)?.share ?? 0),
  };
}

/** Draws the next request of the mix: 5% are impossible, the others come equally from all quartiles. */
export function drawFromPool(random: Random, pool: Pool, workspaceId: bigint): Asked {
  const requested = random.pick(random.chance(0.05) ? pool.impossible : random.pick(pool.quartiles));
  return { ...requested, request: { ...requested.request, workspaceId } };
}

function drawAsked(random: Random, workspaceId: bigint): Asked {
  const gpu = random.weighted(gpus);
  const kind = random.pick(["model", "memory", "memory", "any"] as const);
  const count = random.pick([1, 1, 1, 1, 2, 2, 4, 8]);
  const limit = random.chance(0.5) ? gpu.price * count * (0.9 + 1.6 * random.next()) : 100;
  const request: PlacementRequest = {
    ...requestOf({}),
    workspaceId,
    position: 0,
    excluded: [],
    image: drawImage(random),
    imageAffinity: random.chance(0.1) ? "prefer" : random.chance(0.03) ? "require" : "none",
    replicas: random.chance(0.8) ? "spread" : "pack",
    gpuModel: kind === "model" ? gpu.model : null,
    minVramMib: kind === "memory" ? random.pick([8, 16, 22, 40, 78]) * 1_024 : 0,
    minComputeCapability: kind === "memory" ? random.pick([0, 75, 80, 86, 89]) : 0,
    region: random.chance(0.25) ? random.weighted(regions).code : null,
    wanted: {
      gpus: count,
      cpuMilli: count * random.pick([2, 4, 8]) * 1_000,
      memoryMib: count * random.pick([8, 16, 32]) * 1_024,
      diskGib: count * random.pick([20, 50, 200]),
      ports: random.pick([1, 2, 5]),
    },
    minDownMbps: random.chance(0.3) ? random.pick([100, 500, 1_000]) : 0,
    minUpMbps: random.chance(0.1) ? 100 : 0,
    minUptimePermille: random.chance(0.3) ? random.pick([950, 990, 999]) : 0,
    maxLatencyTenthMs: random.chance(0.15) ? random.pick([200, 500, 1_000]) : null,
    maxPricePerSecond: priceOf(limit),
  };
  const strategy = random.pick(Object.keys(strategies) as StrategyName[]);
  return { request, strategy, replicas: 1 + random.under(8) };
}

/** Makes a request impossible, in one of several ways. Some can only be detected by checking many nodes. */
function spoil(random: Random, requested: Asked): Asked {
  const { request } = requested;
  const spoilt = random.pick<Partial<PlacementRequest>>([
    { gpuModel: "NVIDIA GeForce GTX 1080" },
    { minVramMib: 400_000 },
    { wanted: { ...request.wanted, gpus: 9 } },
    { region: "AQ" },
    { maxPricePerSecond: priceOf(0.01) },
    { gpuModel: "NVIDIA H200", maxPricePerSecond: priceOf(1.5) },
    { minDownMbps: 20_000 },
    { image: "image-unknown", imageAffinity: "require" },
  ]);
  return { ...requested, replicas: 1, request: { ...request, ...spoilt } };
}
