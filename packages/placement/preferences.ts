import {
  defaultStrategy,
  type PlacementPreferences,
  placementPreferences,
} from "@ngpu/protocol/placement/preferences";
import type { PlacementRequest, Strategy } from "./fleet.ts";
import { strategies } from "./strategies/all.ts";

type PreferenceFields = Pick<
  PlacementRequest,
  "imageAffinity" | "replicas" | "minDownMbps" | "minUpMbps" | "minUptimePermille" | "maxLatencyTenthMs"
>;

/** What wishes come to in a request. */
export function requestOf(preferences: PlacementPreferences): PreferenceFields {
  const { image = "any", maxLatencyMs } = preferences;
  return {
    imageAffinity: image === "any" ? "none" : image,
    replicas: preferences.replicas ?? "spread",
    minDownMbps: preferences.minDownMbps ?? 0,
    minUpMbps: preferences.minUpMbps ?? 0,
    minUptimePermille: Math.round((preferences.minUptimePercent ?? 0) * 10),
    maxLatencyTenthMs: maxLatencyMs === undefined ? null : Math.round(maxLatencyMs * 10),
  };
}

export function strategyOf(preferences: PlacementPreferences): Strategy {
  return strategies[preferences.strategy ?? defaultStrategy];
}

/** The wishes in a workspace's configuration document; none when its publisher wrote something else there. */
export function preferencesIn(config: string): PlacementPreferences {
  try {
    const document: unknown = JSON.parse(config);
    if (typeof document !== "object" || document === null || !("placement" in document)) return {};
    return placementPreferences.safeParse(document.placement).data ?? {};
  } catch {
    // Not JSON: the contract takes any text.
    return {};
  }
}
