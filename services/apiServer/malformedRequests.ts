import { randomUUID } from "node:crypto";
import { type RequestListener, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { InputError } from "@ngpu/runtime/errors";
import type { RequestHandler } from "express";

/** What the HTTP parser refuses, by its error's code; anything else is malformed. */
const refusals: Record<string, () => InputError> = {
  HPE_HEADER_OVERFLOW: () =>
    new InputError("The headers of the request are too large.", {
      code: "request_headers_too_large",
      status: 431,
      hint: "Send fewer or shorter headers: 16 KiB together.",
    }),
  ERR_HTTP_REQUEST_TIMEOUT: () =>
    new InputError("The request did not arrive completely in time.", {
      code: "request_incomplete",
      status: 408,
      hint: "Send the whole request at once.",
    }),
};

const malformed = () =>
  new InputError("The request is not valid HTTP/1.1.", {
    code: "request_malformed",
    hint: "Use an HTTP client that follows RFC 9112.",
  });

const noTunnel = () =>
  new InputError("The API is not a proxy.", {
    code: "method_not_allowed",
    status: 405,
    hint: "Send the request without a proxy, or with one that forwards it.",
  });

/** Refuses a request of HTTP/1.1 without `host`. Node's own answer to it has neither a body nor a request id. */
export const requireHost: RequestHandler = (request, _response, next) => {
  if (request.httpVersion === "1.1" && request.headers.host === undefined) throw malformed();
  next();
};

/** Refuses a request whose target is no URL. Express would answer it with a page of its own. */
export const requireTarget =
  (app: RequestListener): RequestListener =>
  (request, response) => {
    const { url = "" } = request;
    if (url.startsWith("/") || url === "*" || URL.canParse(url)) app(request, response);
    else request.socket.end(problemText(malformed()));
  };

/** Answers what is no valid HTTP with a problem (RFC 9457), and closes the connection. An `expect` header changes nothing. */
export function refuseMalformedRequests(server: Server, app: RequestListener): Server {
  server.on("checkExpectation", app);
  server.on("connect", (_request, socket: Duplex) => {
    // Nothing else listens on the socket of such a request.
    socket.on("error", () => socket.destroy());
    socket.end(problemText(noTunnel()));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === "ECONNRESET" || !socket.writable || hasBegun(socket)) {
      socket.destroy();
      return;
    }
    socket.end(problemText(refusals[error.code ?? ""]?.() ?? malformed()));
  });
  return server;
}

/** Whether a response on the connection has begun, which another one cannot replace. */
function hasBegun(socket: Duplex): boolean {
  const response =
    "_httpMessage" in socket ? (socket._httpMessage as { headersSent?: boolean } | null) : null;
  return response?.headersSent === true;
}

function problemText({ status, code, message, hint }: InputError): string {
  const requestId = randomUUID();
  const title = STATUS_CODES[status] ?? "Bad Request";
  const body = JSON.stringify({
    type: `urn:ngpu:error:${code}`,
    title,
    status,
    detail: message,
    instance: `urn:ngpu:request:${requestId}`,
    code,
    hint,
    request_id: requestId,
  });
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    "content-type: application/problem+json; charset=utf-8",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    "access-control-allow-origin: *",
    "connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}
