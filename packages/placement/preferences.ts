import { type PlacementPreferences, placementPreferences } from "@ngpu/protocol/placement/preferences";
import { defaultStrategy } from "@ngpu/protocol/placement/strategies";
import type { PlacementRequest, Strategy } from "./fleet.ts";
import { strategies } from "./strategies/all.ts";

type PreferenceFields = Pick<
  PlacementRequest,
  | "gpuModels"
  | "imageAffinity"
  | "replicas"
  | "minDownMbps"
  | "minUpMbps"
  | "minUptimePermille"
  | "maxLatencyTenthMs"
>;

/** The fields of a request that follow from placement preferences. */
export function requestOf(preferences: PlacementPreferences): PreferenceFields {
  const { image = "any", maxLatencyMs } = preferences;
  return {
    ...(preferences.gpuModels === undefined ? {} : { gpuModels: preferences.gpuModels }),
    imageAffinity: image === "any" ? "none" : image,
    replicas: preferences.replicas ?? "spread",
    minDownMbps: preferences.minDownMbps ?? 0,
    minUpMbps: preferences.minUpMbps ?? 0,
    minUptimePermille: Math.round((preferences.minUptimePercent ?? 0) * 10),
    maxLatencyTenthMs: maxLatencyMs === undefined ? null : Math.round(maxLatencyMs * 10),
  };
}

/** The strategy that the preferences name, or the default one. */
export function strategyOf(preferences: PlacementPreferences): Strategy {
  return strategies[preferences.strategy ?? defaultStrategy];
}

/** The placement preferences in a workspace's configuration document; empty when it has none or they are invalid. */
export function preferencesIn(config: string): PlacementPreferences {
  try {
    const document: unknown = JSON.parse(config);
    if (typeof document !== "object" || document === null || !("placement" in document)) return {};
    return placementPreferences.safeParse(document.placement).data ?? {};
  } catch {
    // Not JSON: the contract accepts any text.
    return {};
  }
}
