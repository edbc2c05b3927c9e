import type { RequestListener } from "node:http";

/** @deadline The upload of a file as a whole. Its connection is closed. */
export const uploadDeadline = 6 * 3_600_000;
/** @deadline A byte of an upload. Its connection is closed. */
const uploadSilence = 60_000;
/** @deadline The body of every other request. Its connection is closed. */
const bodyDeadline = 300_000;

const isUpload = (method = "", url = "") => method === "POST" && /^\/v1\/files\/?(\?|$)/i.test(url);

/** Bounds the time that the body of a request takes. That of a file may take hours, as long as its bytes arrive. */
export function boundBodies(handler: RequestListener): RequestListener {
  return (request, response) => {
    const { method, url, headers, socket } = request;
    const hasBody = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
    if (hasBody && isUpload(method, url)) {
      const close = () => socket.destroy();
      socket.setTimeout(uploadSilence, close);
      request.once("end", () => socket.setTimeout(0, close));
    } else if (hasBody) {
      const timer = setTimeout(() => socket.destroy(), bodyDeadline);
      request.once("end", () => clearTimeout(timer));
      response.once("close", () => clearTimeout(timer));
    }
    handler(request, response);
  };
}
