import { z } from "zod";
import { defaultStrategy, type StrategyName, strategyTexts } from "./strategies.ts";

/** A number from 0 to `max` in steps of 1 / `parts`. */
const steps = (max: number, parts: number) =>
  z
    .number()
    .min(0)
    .max(max)
    .refine((n) => Math.abs(n * parts - Math.round(n * parts)) < 1e-6, `is not a multiple of ${1 / parts}`);

const mbps = (what: string) =>
  z
    .number()
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .optional()
    .meta({ description: `Minimum measured ${what}, Mbit/s; nodes without a measurement do not match` });

/**
 * What a workspace prefers of its nodes beyond its spec. It is part of the configuration document on the chain, so that
 * anyone can reproduce a placement.
 */
export const placementPreferences = z.strictObject({
  strategy: z
    .enum(Object.keys(strategyTexts) as [StrategyName, ...StrategyName[]])
    .optional()
    .meta({
      description: `Order of the nodes that fit: ${Object.entries(strategyTexts)
        .map(([name, text]) => `${name} (${text})`)
        .join("; ")}. Default: ${defaultStrategy}`,
    }),
  replicas: z.enum(["spread", "pack"]).optional().meta({
    description: "Whether replicas are spread over nodes or packed together; default: spread",
  }),
  gpuModels: z
    .array(z.string().regex(/^0x[0-9a-f]{16}$/))
    .min(1)
    .max(32)
    .optional()
    .meta({
      description:
        "Accepted GPU models, 8 bytes as hex each. The API sets it where `gpu.model` stands for several models; default: any",
    }),
  image: z.enum(["any", "prefer", "require"]).optional().meta({
    description: "Whether nodes that have the image are preferred or required; default: any",
  }),
  maxLatencyMs: steps(60_000, 10).optional().meta({
    description: "Maximum measured latency in ms, steps of 0.1; nodes without a measurement do not match",
  }),
  minDownMbps: mbps("download bandwidth"),
  minUpMbps: mbps("upload bandwidth"),
  minUptimePercent: steps(100, 10).optional().meta({
    description: "Minimum percentage of recent heartbeat slots in which the node was present, steps of 0.1",
  }),
});

export type PlacementPreferences = z.output<typeof placementPreferences>;
