import type { IncomingMessage, ServerResponse } from "node:http";
import { type ForwardedHeaders, forwardedHeaders } from "@ngpu/runtime/hopHeaders";

/** Secrets of the market, what a proxy in front of the API adds, and what this API sets itself. */
const withheldFromContainer = new Set([
  "authorization",
  "cookie",
  "content-length",
  "content-encoding",
  "idempotency-key",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
  "via",
  "x-request-id",
  "x-ngpu-timeout",
  "x-ngpu-total-timeout",
  "x-ngpu-task-id",
]);

/** Headers by which a container would speak for the API's own origin. */
const withheldFromPartner = new Set([
  "set-cookie",
  "strict-transport-security",
  "alt-svc",
  "clear-site-data",
  "service-worker-allowed",
  "x-ngpu-node-id",
  "x-ngpu-replica",
  "x-ngpu-lease",
]);

/** The headers of a partner's request that its container receives. */
export function headersForContainer(request: IncomingMessage): ForwardedHeaders {
  return forwardedHeaders(request.rawHeaders, withheldFromContainer);
}

/** Sets the headers of a container's response that its partner receives. Those that the API has set stay. */
export function passHeaders(message: IncomingMessage, response: ServerResponse): void {
  for (const [name, value] of Object.entries(forwardedHeaders(message.rawHeaders, withheldFromPartner))) {
    if (response.hasHeader(name) || name.startsWith("access-control-")) continue;
    response.setHeader(name, value);
  }
}
