import { once } from "node:events";
import { createServer, type RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from "express";
import helmet from "helmet";
import type { Registry } from "prom-client";
import { FatalError, InputError, NgpuError } from "./errors.ts";
import { toJson } from "./json.ts";
import type { ServiceContext } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { requestIdHeader, requestIdOf } from "./requestId.ts";

/** What /healthz answers with, beside the process's number: 200 when ok, else 503. */
export type Health = { ok: boolean; details?: Record<string, unknown> };

/** An express app with the headers, JSON limits, request ids and endpoints that every service has: /healthz and /metrics. */
export function createApp(options: { health: () => Promise<Health> | Health; registry: Registry }): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("json replacer", (_name: string, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
  app.use(helmet());
  app.use(nameRequest);
  app.get("/healthz", async (_request, response) => {
    const health = await options.health();
    response
      .status(health.ok ? 200 : 503)
      .type("json")
      .send(toJson({ ...health, pid: process.pid }));
  });
  app.get("/metrics", async (_request, response) => {
    response.type(options.registry.contentType).send(await options.registry.metrics());
  });
  return app;
}

const nameRequest: RequestHandler = (request, response, next) => {
  const requestId = requestIdOf(request.headers[requestIdHeader]);
  response.locals.requestId = requestId;
  response.setHeader(requestIdHeader, requestId);
  next();
};

/** The id of the request that is answered here. */
export function requestIdIn(response: Response): string {
  return response.locals.requestId as string;
}

/** Writes lines that name the request. */
export function requestLogger(logger: Logger, response: Response): Logger {
  return logger.child({ requestId: requestIdIn(response) });
}

/** The last handler of an app: typed errors become `{ error: { code, message, hint, details, request_id } }`. */
export function errorHandler(logger: Logger): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const known = error instanceof NgpuError;
    const status = statusOf(error);
    if (status >= 500)
      requestLogger(logger, response).error({
        event: "request_failed",
        method: request.method,
        path: request.path,
        error,
      });
    response
      .status(status)
      .type("json")
      .send(
        toJson({
          error: {
            code: known ? error.code : status < 500 ? "request_invalid" : "internal",
            message: known || status < 500 ? error.message : "Internal error.",
            ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
            ...(known ? { details: error.details } : {}),
            request_id: requestIdIn(response),
          },
        }),
      );
  };
}

function statusOf(error: unknown): number {
  if (error instanceof InputError) return error.status;
  if (error instanceof NgpuError) return error.retryable ? 503 : 500;
  // body-parser and express mark their own client faults with a status.
  if (error instanceof Error && "status" in error && typeof error.status === "number") return error.status;
  return 500;
}

/**
 * Listens and stops with the service: no new connection, the running requests end, then the rest is cut.
 *
 * @throws FatalError `port_in_use`, naming the address.
 */
export async function listen(
  handler: RequestListener | Server,
  options: { host: string; port: number },
  context: Pick<ServiceContext, "onStop">,
): Promise<{ server: Server; url: string; port: number }> {
  const server = handler instanceof Server ? handler : createServer(handler);
  server.listen(options.port, options.host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new FatalError(`Port ${options.port} on ${options.host} is not available.`, {
      code: "port_in_use",
      hint: "Set PORT to another port, or to 0 for any free port.",
      details: { host: options.host, port: options.port },
      cause: error,
    });
  }
  context.onStop("http", async () => {
    server.close();
    server.closeIdleConnections();
    const cut = setTimeout(() => server.closeAllConnections(), 3_000);
    await once(server, "close");
    clearTimeout(cut);
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, url: `http://${options.host}:${port}` };
}
