import type { RequestHandler } from "express";

const maxAgeSeconds = 7_200;
const requestHeaders = "Authorization, Content-Type, Idempotency-Key, X-Request-Id";
const responseHeaders =
  "X-Request-Id, X-Ngpu-Task-Id, X-Ngpu-Node-Id, X-Ngpu-Cold-Start-Ms, Retry-After, RateLimit, RateLimit-Policy, Allow";

/**
 * Lets pages of every origin call the API. A call carries its key in a header and never a cookie, so another page cannot use the
 * key of a visitor.
 */
export const cors: RequestHandler = (request, response, next) => {
  response.setHeader("access-control-allow-origin", "*");
  response.setHeader("access-control-expose-headers", responseHeaders);
  const isPreflight =
    request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined;
  if (!isPreflight) {
    next();
    return;
  }
  response.setHeader("access-control-allow-methods", "GET, HEAD, POST, DELETE");
  response.setHeader("access-control-allow-headers", requestHeaders);
  response.setHeader("access-control-max-age", String(maxAgeSeconds));
  response.status(204).end();
};
