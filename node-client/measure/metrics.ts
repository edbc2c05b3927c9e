import { Counter, type Registry } from "prom-client";

/** The metrics of a measurement node. */
export function createMeasurerMetrics(registry: Registry) {
  return {
    measured: new Counter({
      name: "ngpu_measurer_rounds_total",
      help: "Measurement rounds, by outcome",
      labelNames: ["outcome"] as const,
      registers: [registry],
    }),
    waves: new Counter({
      name: "ngpu_measurer_waves_total",
      help: "Waves of the proof of hardware, by outcome",
      labelNames: ["outcome"] as const,
      registers: [registry],
    }),
  };
}
