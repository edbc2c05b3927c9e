import { Gauge, Histogram, type Registry } from "prom-client";

/** Creates the gateway's metrics. */
export function createGatewayMetrics(registry: Registry) {
  return {
    tunnels: new Gauge({
      name: "ngpu_gateway_tunnels",
      help: "Nodes with an open tunnel to this instance",
      registers: [registry],
    }),
    requests: new Histogram({
      name: "ngpu_gateway_request_duration_seconds",
      help: "Duration of requests to workspaces, by outcome",
      labelNames: ["outcome"],
      buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600],
      registers: [registry],
    }),
  };
}
export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>;
