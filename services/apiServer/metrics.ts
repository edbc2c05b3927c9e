import { Histogram, type Registry } from "prom-client";

/** Creates the histogram of API calls. The returned function observes one call. */
export function callHistogram(registry: Registry) {
  const histogram = new Histogram({
    name: "ngpu_api_request_duration_seconds",
    help: "Duration of API calls, by route and status",
    labelNames: ["route", "status"],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [registry],
  });
  return (route: string, status: number, seconds: number) =>
    histogram.observe({ route, status: String(status) }, seconds);
}
