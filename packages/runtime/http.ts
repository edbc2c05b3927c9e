import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from "express";
import helmet from "helmet";
import type { Registry } from "prom-client";
import { FatalError, InputError, messageOf, NgpuError } from "./errors.ts";
import { idleTimes } from "./httpLimits.ts";
import { toJson } from "./json.ts";
import type { ServiceContext } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";
import { requestIdHeader, requestIdOf } from "./requestId.ts";

/** The body of `/healthz`, to which the process id is added. Status 200 when ok, otherwise 503. */
export type Health = { ok: boolean; details?: Record<string, unknown> };

type Internals = { health: () => Promise<Health> | Health; registry: Registry };

/** An express app with what every service has: security headers, request ids, `/healthz` and `/metrics`. */
export function createApp(internals: Internals): Express {
  return serveInternals(createPublicApp(), internals);
}

/** An express app with security headers and request ids, for a port that strangers reach. */
export function createPublicApp(): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("json replacer", (_name: string, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
  app.use(helmet());
  app.use(assignRequestId);
  return app;
}

function serveInternals(app: Express, options: Internals): Express {
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

const assignRequestId: RequestHandler = (request, response, next) => {
  const requestId = requestIdOf(request.headers[requestIdHeader]);
  response.locals.requestId = requestId;
  response.setHeader(requestIdHeader, requestId);
  next();
};

/** The id of the request that this response belongs to. */
export function requestIdIn(response: Response): string {
  return response.locals.requestId as string;
}

/** A logger that adds the request id to each line. */
export function requestLogger(logger: Logger, response: Response): Logger {
  return logger.child({ requestId: requestIdIn(response) });
}

/** A response to a request that failed; `body` is sent as JSON. */
export type ErrorAnswer = { status: number; type: string; body: unknown };

/**
 * An error handler that sends the answer of `answerOf`. Express handles an error without an answer, and one after the response
 * has begun.
 */
export function answerErrors(
  answerOf: (error: unknown, request: Request, response: Response) => ErrorAnswer | undefined,
): ErrorRequestHandler {
  return (error, request, response, next) => {
    const answer = response.headersSent ? undefined : answerOf(error, request, response);
    if (answer === undefined) next(error);
    else response.status(answer.status).type(answer.type).send(toJson(answer.body));
  };
}

/** The last handler of an app: sends errors as `{ error: { code, message, hint, details, request_id } }`. */
export function errorHandler(logger: Logger): ErrorRequestHandler {
  return answerErrors((given, request, response) => {
    const error = given as Error;
    const status = statusOf(error);
    const { method, path } = request;
    if (status >= 500)
      requestLogger(logger, response).error({ event: "request_failed", method, path, error });
    const problem = { ...problemOf(error, status), request_id: requestIdIn(response) };
    return { status, type: "json", body: { error: problem } };
  });
}

function problemOf(error: Error, status: number) {
  if (error instanceof NgpuError) {
    const { code, message, hint, details } = error;
    return { code, message, hint, details };
  }
  if (status >= 500) {
    return {
      code: "internal_error",
      message: "Internal error.",
      hint: "Try again. If it recurs, report the request_id to the operator.",
    };
  }
  return { code: "request_invalid", message: error.message, hint: "Correct the request." };
}

function statusOf(error: unknown): number {
  if (error instanceof InputError) return error.status;
  if (error instanceof NgpuError) return error.retryable ? 503 : 500;
  // body-parser and express set a status on their own client errors.
  if (error instanceof Error && "status" in error && typeof error.status === "number") return error.status;
  return 500;
}

/** @deadline The request of a client to a service, body included. Its connection is closed. */
const requestTimeout = 300_000;
/** @deadline Requests in progress when a service stops. Their connections are closed. */
const stopDeadline = 3_000;

/** An HTTP server that keeps idle connections longer than the clients of services do. */
export function createHttpServer(
  handler: RequestListener,
  options: {
    maxHeaderSize?: number;
    idle?: number;
    requestTimeout?: number;
    requireHostHeader?: boolean;
    /** Which requests with an `upgrade` header are passed to the event `upgrade`; default: all, if it has a listener. */
    shouldUpgradeCallback?: (request: IncomingMessage) => boolean;
  } = {},
): Server {
  const idle = options.idle ?? idleTimes.server;
  return createServer(
    {
      ...options,
      keepAliveTimeout: idle,
      headersTimeout: idle + 5_000,
      requestTimeout: options.requestTimeout ?? requestTimeout,
    },
    handler,
  );
}

/**
 * Listens until the service stops. On stop the server accepts no new connections, lets running requests end, and
 * closes the remaining connections after 3 s.
 *
 * @throws FatalError `port_in_use` or `address_unavailable`, with the address.
 */
export async function listen(
  handler: RequestListener | Server,
  options: { host: string; port: number },
  context: Pick<ServiceContext, "onStop">,
): Promise<{ server: Server; url: string; port: number }> {
  const server = handler instanceof Server ? handler : createHttpServer(handler);
  server.listen(options.port, options.host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw listenError(options, error);
  }
  context.onStop("http", async () => {
    server.close();
    server.closeIdleConnections();
    const forceClose = setTimeout(() => server.closeAllConnections(), stopDeadline);
    await once(server, "close");
    clearTimeout(forceClose);
  });
  const { port } = server.address() as AddressInfo;
  return { server, port, url: `http://${options.host}:${port}` };
}

function listenError({ host, port }: { host: string; port: number }, cause: unknown): FatalError {
  const details = { host, port };
  if (cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE") {
    return new FatalError(`Port ${port} on ${host} is in use.`, {
      code: "port_in_use",
      hint: "Set PORT to another port, or to 0 for any free port.",
      details,
      cause,
    });
  }
  return new FatalError(`Port ${port} on ${host} cannot be opened: ${messageOf(cause)}.`, {
    code: "address_unavailable",
    hint: "Set HOST to an address of this machine, and PORT to a port that this user may open.",
    details,
    cause,
  });
}
