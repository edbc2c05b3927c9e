import { Counter, type Registry } from "prom-client";

/** What a measurement node counts. */
export function createMeasurerMetrics(registry: Registry) {
  return {
    measured: new Counter({
      name: "ngpu_measurer_rounds_total",
      help: "Rounds of measurement, by outcome",
      labelNames: ["outcome"] as const,
      registers: [registry],
    }),
  };
}
