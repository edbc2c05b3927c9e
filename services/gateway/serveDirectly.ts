import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { requestIdHeader, requestIdOf } from "@ngpu/runtime/requestId";
import type { Express, RequestHandler, Response } from "express";

/**
 * Serves the paths below a prefix without express, which costs more than all else that a request needs here. An error passes to
 * the app, which answers it as it answers all others.
 *
 * @param handle It must not call `next`.
 * @returns The listener of the server; other paths are the app's.
 */
export function serveDirectly(
  prefix: string,
  handle: (request: IncomingMessage, response: Response) => Promise<void>,
  app: Express,
): RequestListener {
  const failures = new WeakMap<IncomingMessage, unknown>();
  const serve: RequestHandler = (request, response) => {
    if (!failures.has(request)) return handle(request, response);
    throw failures.get(request);
  };
  app.use(prefix, serve);
  return (request: IncomingMessage, response: ServerResponse) => {
    const { url = "" } = request;
    if (!url.startsWith(`${prefix}/`)) {
      app(request, response);
      return;
    }
    const requestId = requestIdOf(request.headers[requestIdHeader]);
    Object.assign(response, { locals: { requestId } });
    request.url = url.slice(prefix.length);
    handle(request, response as Response).catch((error: unknown) => {
      request.url = url;
      // A second id would not be that of the log.
      request.headers[requestIdHeader] = requestId;
      failures.set(request, error);
      app(request, response);
    });
  };
}
