import type { PlacementRequest } from "@ngpu/placement/fleet";
import { preferencesIn, requestOf } from "@ngpu/placement/preferences";
import { strategyTexts } from "@ngpu/protocol/placement/strategies";
import { type Hex, keccak256, numberToHex, pad } from "viem";
import type { Market } from "./market.ts";

/** What a partner publishes. */
export type Wish = {
  workspaceId: bigint;
  authorizationId: bigint;
  spec: ReturnType<typeof specOf>;
  config: string;
};

/** Partners, each with an authorization of its number. */
export const partners = 200;
export const highest = 2n ** 62n;

export function wishOf(market: Market, id: number): Wish {
  const strategies = Object.keys(strategyTexts);
  const strategy = strategies[market.between(0, strategies.length - 1)];
  const replicas = market.random() < 0.3 ? "pack" : "spread";
  return {
    workspaceId: BigInt(id),
    authorizationId: BigInt(market.between(1, partners)),
    spec: specOf(market, id),
    config: JSON.stringify({ image: "chat", placement: { strategy, replicas } }),
  };
}

function specOf({ between, random }: Market, id: number) {
  const gpus = random() < 0.4 ? 1 : 0;
  return {
    image: keccak256(pad(numberToHex(1 + (id % 50)), { size: 32 })),
    policy: 0,
    graceSeconds: 60,
    maxPricePerSecond: highest,
    gpuModel: pad("0x", { size: 8 }),
    minVramMib: gpus * between(8, 20) * 1_000,
    minComputeCapability: 0,
    region: "0x0000" as Hex,
    resources: { gpus, cpuMilli: 1_000 * between(1, 4), memoryMib: 2_048, diskGib: 10, ports: 1 },
    expiresAt: 0,
    configHash: pad("0x"),
  };
}

export function requestFor(
  { workspaceId, spec, config }: Wish,
  { position, limit, excluded }: { position: number; limit: bigint; excluded: number[] },
): PlacementRequest {
  return {
    ...requestOf(preferencesIn(config)),
    workspaceId,
    position,
    excluded,
    image: spec.image,
    wanted: spec.resources,
    gpuModel: null,
    region: null,
    minVramMib: spec.minVramMib,
    minComputeCapability: 0,
    maxPricePerSecond: limit < spec.maxPricePerSecond ? limit : spec.maxPricePerSecond,
  };
}
