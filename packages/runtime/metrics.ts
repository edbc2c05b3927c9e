import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { version } from "./version.ts";

/** A registry for one service, with its version and the default process metrics. */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "ngpu_build_info",
    help: "Always 1; the label is the running version",
    labelNames: ["version"],
    registers: [registry],
  }).set({ version }, 1);
  return registry;
}
