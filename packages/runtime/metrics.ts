import { collectDefaultMetrics, Registry } from "prom-client";

/** A registry of the service's own, with the process's figures in it. */
export function createRegistry(service: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  collectDefaultMetrics({ register: registry });
  return registry;
}
