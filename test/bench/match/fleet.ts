import type { FleetNode } from "@ngpu/placement/fleet";
import type { Random } from "./random.ts";

/** GPUs on rental markets: memory in MiB, compute capability × 10, typical price in dollars an hour, frequency. */
export const gpus = [
  { model: "NVIDIA H200", vramMib: 143_771, capability: 90, price: 2.9, weight: 3 },
  { model: "NVIDIA B200", vramMib: 183_359, capability: 100, price: 4.6, weight: 1 },
  { model: "NVIDIA H100 80GB HBM3", vramMib: 81_559, capability: 90, price: 2.1, weight: 8 },
  { model: "NVIDIA H100 PCIe", vramMib: 81_559, capability: 90, price: 1.9, weight: 4 },
  { model: "NVIDIA A100-SXM4-80GB", vramMib: 81_920, capability: 80, price: 1.2, weight: 7 },
  { model: "NVIDIA A100-SXM4-40GB", vramMib: 40_960, capability: 80, price: 0.85, weight: 3 },
  { model: "NVIDIA L40S", vramMib: 46_068, capability: 89, price: 0.8, weight: 5 },
  { model: "NVIDIA L4", vramMib: 23_034, capability: 89, price: 0.35, weight: 4 },
  { model: "NVIDIA RTX 6000 Ada Generation", vramMib: 49_140, capability: 89, price: 0.75, weight: 4 },
  { model: "NVIDIA RTX A6000", vramMib: 49_140, capability: 86, price: 0.45, weight: 5 },
  { model: "NVIDIA RTX A5000", vramMib: 24_564, capability: 86, price: 0.22, weight: 4 },
  { model: "NVIDIA RTX A4000", vramMib: 16_376, capability: 86, price: 0.13, weight: 4 },
  { model: "NVIDIA GeForce RTX 5090", vramMib: 32_607, capability: 120, price: 0.6, weight: 8 },
  { model: "NVIDIA GeForce RTX 4090", vramMib: 24_564, capability: 89, price: 0.37, weight: 16 },
  { model: "NVIDIA GeForce RTX 3090", vramMib: 24_576, capability: 86, price: 0.19, weight: 10 },
  { model: "NVIDIA GeForce RTX 3080", vramMib: 10_240, capability: 86, price: 0.12, weight: 4 },
  { model: "Tesla V100-SXM2-32GB", vramMib: 32_768, capability: 70, price: 0.25, weight: 3 },
  { model: "Tesla T4", vramMib: 15_360, capability: 75, price: 0.12, weight: 3 },
] as const;

export const regions = [
  { code: "US", weight: 34 },
  { code: "DE", weight: 8 },
  { code: "CA", weight: 7 },
  { code: "GB", weight: 5 },
  { code: "NL", weight: 5 },
  { code: "FR", weight: 4 },
  { code: "SE", weight: 4 },
  { code: "NO", weight: 4 },
  { code: "PL", weight: 3 },
  { code: "CZ", weight: 3 },
  { code: "JP", weight: 4 },
  { code: "KR", weight: 4 },
  { code: "TW", weight: 3 },
  { code: "SG", weight: 3 },
  { code: "IN", weight: 4 },
  { code: "AU", weight: 2 },
] as const;

const sizes = [
  { count: 1, weight: 40 },
  { count: 2, weight: 20 },
  { count: 4, weight: 18 },
  { count: 8, weight: 22 },
];
const images = 200;

/** Converts dollars an hour to token units a second, at a dollar per token, rounded to 0.01 cents an hour. */
export function priceOf(dollarsAnHour: number): bigint {
  return (BigInt(Math.round(dollarsAnHour * 10_000)) * 10n ** 14n) / 3_600n;
}

/** Draws an image; popular ones are more frequent. */
export function drawImage(random: Random): string {
  return `image-${Math.floor(images * random.next() ** 3)}`;
}

/** Draws the fields of a node that change over time, around its usual price in dollars an hour. */
export function drawChanges(random: Random, usual: number) {
  const measured = random.chance(0.92);
  const down = Math.round(50 * 200 ** random.next());
  return {
    status: random.chance(0.985) ? ("online" as const) : ("maintenance" as const),
    pricePerSecond: priceOf(usual * (0.7 + 0.5 * random.next() + 0.4 * random.next() ** 4)),
    measured,
    downMbps: measured ? down : 0,
    upMbps: measured ? Math.round(down * (0.2 + 0.8 * random.next())) : 0,
    latencyTenthMs: measured ? Math.round(50 + 1_500 * random.next() ** 2) : null,
    uptimePermille: random.chance(0.6) ? 1_000 : Math.round(1_000 - 80 * random.next() ** 3),
  };
}

/** Draws a fleet of nodes without leases. */
export function drawFleet(random: Random, size: number): FleetNode[] {
  return Array.from({ length: size }, (_, index): FleetNode => {
    const gpu = random.weighted(gpus);
    const { count } = random.weighted(sizes);
    const cores = count * random.pick([8, 12, 16, 24]);
    const total = {
      gpus: count,
      cpuMilli: cores * 1_000,
      memoryMib: count * random.pick([32, 48, 64, 128]) * 1_024,
      diskGib: count * random.pick([200, 400, 800]),
      ports: 50 * count,
    };
    return {
      ...drawChanges(random, gpu.price * count),
      nodeId: index + 1,
      gpuModel: gpu.model,
      vramMib: gpu.vramMib,
      computeCapability: gpu.capability,
      region: random.weighted(regions).code,
      total,
      free: total,
      images: new Set(Array.from({ length: random.under(5) }, () => drawImage(random))),
      workspaces: [],
    };
  });
}
