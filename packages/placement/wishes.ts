import { defaultStrategy, type PlacementWishes, placementWishes } from "@ngpu/protocol/placement/wishes";
import type { PlacementRequest, Strategy } from "./fleet.ts";
import { strategies } from "./strategies/all.ts";

type Wished = Pick<
  PlacementRequest,
  "imageAffinity" | "replicas" | "minDownMbps" | "minUpMbps" | "minUptimePermille" | "maxLatencyTenthMs"
>;

/** What wishes come to in a request. */
export function requestOf(wishes: PlacementWishes): Wished {
  const { image = "any", maxLatencyMs } = wishes;
  return {
    imageAffinity: image === "any" ? "none" : image,
    replicas: wishes.replicas ?? "spread",
    minDownMbps: wishes.minDownMbps ?? 0,
    minUpMbps: wishes.minUpMbps ?? 0,
    minUptimePermille: Math.round((wishes.minUptimePercent ?? 0) * 10),
    maxLatencyTenthMs: maxLatencyMs === undefined ? null : Math.round(maxLatencyMs * 10),
  };
}

export function strategyOf(wishes: PlacementWishes): Strategy {
  return strategies[wishes.strategy ?? defaultStrategy];
}

/** The wishes in a workspace's configuration document; none when its publisher wrote something else there. */
export function wishesIn(config: string): PlacementWishes {
  try {
    const document: unknown = JSON.parse(config);
    if (typeof document !== "object" || document === null || !("placement" in document)) return {};
    return placementWishes.safeParse(document.placement).data ?? {};
  } catch {
    // Not JSON: the contract takes any text.
    return {};
  }
}
