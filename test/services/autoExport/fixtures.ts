import { type Hex, numberToHex, pad } from "viem";

export const word = (value: number | bigint, size = 32): Hex => pad(numberToHex(value), { size });

export const spec = (scale: number) => ({
  gpuModel: word(scale, 8),
  vramMib: 81_920,
  computeCapability: 90,
  region: (scale % 3 === 0 ? "0x0000" : scale % 3 === 1 ? "0x4445" : "0x00ff") as Hex,
  total: { gpus: scale % 8, cpuMilli: 64_000, memoryMib: 262_144, diskGib: 2_000, ports: 100 },
});

export const workspaceSpec = (scale: number) => ({
  image: word(scale),
  policy: scale % 2,
  graceSeconds: 60,
  maxPricePerSecond: 10n ** 15n + BigInt(scale),
  gpuModel: word(0, 8),
  minVramMib: 0,
  minComputeCapability: 0,
  region: "0x0000" as Hex,
  resources: { gpus: 1, cpuMilli: 1_000, memoryMib: 2_048, diskGib: 10, ports: 1 },
  expiresAt: 0,
  configHash: word(scale + 1),
});

export const measurement = (scale: number) => ({
  absent: false,
  downMbps: scale,
  upMbps: 4_294_967_295,
  latencyTenthMs: 15,
  portsReachable: 1,
  diskFreeGib: 100,
  diskWriteMibps: 500,
});
