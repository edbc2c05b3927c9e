import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { version } from "./version.ts";

/** A registry of the service's own, with its version and the process's figures under their standard names. */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "ngpu_build_info",
    help: "Always 1; its label is the version that runs",
    labelNames: ["version"],
    registers: [registry],
  }).set({ version }, 1);
  return registry;
}
