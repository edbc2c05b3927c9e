import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { log } from "./log.ts";

export type Serving = { server: Server; port: number };

const clientDeadlines = {
  /** @deadline The head of a request to a container of the market's own images. The connection is closed. */
  headersTimeout: 10_000,
  /** @deadline A request to a container of the market's own images, body included. The connection is closed. */
  requestTimeout: 120_000,
  /** @deadline The next request on a kept connection of a container of the market's own images. The connection is closed. */
  keepAliveTimeout: 5_000,
};

/** Listens on all addresses of the container; port 0: a free port. */
export async function listen(handler: RequestListener, port: number, host = "0.0.0.0"): Promise<Serving> {
  const server = createServer(clientDeadlines, handler);
  server.maxHeadersCount = 64;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, host, resolve);
  await promise;
  server.off("error", reject);
  return { server, port: (server.address() as AddressInfo).port };
}

/**
 * Stops accepting connections, waits for requests in progress, and closes them at the deadline.
 *
 * @param graceMs Deadline in milliseconds, below the 10 s that Docker waits between SIGTERM and SIGKILL.
 */
export async function drain(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  // Otherwise a keep-alive connection would stay open after its last response.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const deadline = setTimeout(() => server.closeAllConnections(), graceMs);
  await promise;
  clearInterval(idle);
  clearTimeout(deadline);
}

/**
 * Runs a container's server until SIGTERM or SIGINT, which process 1 must handle itself. A failed start prints one line to
 * standard error and exits with status 1.
 */
export async function runUntilSignal(
  name: string,
  setup: () =>
    | { handler: RequestListener; port: number }
    | Promise<{ handler: RequestListener; port: number }>,
): Promise<void> {
  const { promise: asked, resolve } = Promise.withResolvers<string>();
  process.once("SIGTERM", resolve);
  process.once("SIGINT", resolve);
  try {
    const { handler, port } = await setup();
    const serving = await listen(handler, port);
    log("listening", { name, port: serving.port });
    log("stopping", { name, signal: await asked });
    await drain(serving.server, 8_000);
    log("stopped", { name });
  } catch (error) {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    process.off("SIGTERM", resolve);
    process.off("SIGINT", resolve);
  }
}
