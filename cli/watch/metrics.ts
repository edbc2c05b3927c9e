import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { InputError } from "@ngpu/runtime/errors";
import { createRegistry } from "@ngpu/runtime/metrics";
import { Counter, Gauge, type Registry } from "prom-client";

/** What a watcher counts. */
export type WatchMetrics = {
  registry: Registry;
  records: Counter<"kind">;
  differences: Counter<"kind">;
  failures: Counter<"code">;
  block: Gauge;
};

export function createWatchMetrics(): WatchMetrics {
  const registry = createRegistry("watch");
  const registers = [registry];
  return {
    registry,
    records: new Counter({
      name: "ngpu_watch_records_total",
      help: "Records of the chain that were recomputed",
      labelNames: ["kind"],
      registers,
    }),
    differences: new Counter({
      name: "ngpu_watch_differences_total",
      help: "Records that differ from what the chain's logs lead to",
      labelNames: ["kind"],
      registers,
    }),
    failures: new Counter({
      name: "ngpu_watch_failures_total",
      help: "Readings of the chain, alerts and transactions that failed, by error code",
      labelNames: ["code"],
      registers,
    }),
    block: new Gauge({ name: "ngpu_watch_block", help: "Newest block that was recomputed", registers }),
  };
}

/**
 * Serves the metrics.
 *
 * @param address Host and port, as in 127.0.0.1:9400.
 * @throws InputError `metrics_address_invalid`
 */
export async function serveMetrics(
  { registry }: WatchMetrics,
  address: string,
): Promise<{ url: string; close: () => void }> {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(address) ?? [];
  const server = createServer(async (request, response) => {
    if (request.url !== "/metrics") {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("content-type", registry.contentType);
    response.end(await registry.metrics());
  });
  try {
    await listening(server, host ?? "", Number(port));
  } catch (cause) {
    throw new InputError(`Metrics cannot be served at ${address}.`, {
      code: "metrics_address_invalid",
      hint: "Name an address of this machine and a free port, as in 127.0.0.1:9400.",
      cause,
    });
  }
  const { port: open } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${open}/metrics`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    if (host === "" || !(port <= 65_535)) reject(new RangeError("no address"));
    else server.listen(port, host.replace(/^\[(.*)\]$/, "$1"), resolve);
  });
}
