import { connect } from "node:net";
import fc from "fast-check";
import { codeIn } from "./send.ts";

/** Bytes on a connection that are no request of HTTP/1.1, or an odd one. */
export type RawRequest = { text: string; ends: boolean };

const host = "Host: x\r\n";
const oddRequests = [
  "",
  "\r\n\r\n",
  "GET /v1/nodes\r\n\r\n",
  "GET /v1/nodes HTTP/1.0\r\n\r\n",
  "GET /v1/nodes HTTP/1.1\r\n\r\n",
  `GET /v1/nodes HTTP/9.9\r\n${host}\r\n`,
  `get /v1/nodes HTTP/1.1\r\n${host}\r\n`,
  `FOO /v1/nodes HTTP/1.1\r\n${host}\r\n`,
  `GET  /v1/nodes  HTTP/1.1\r\n${host}\r\n`,
  `GET /v1/no des HTTP/1.1\r\n${host}\r\n`,
  `GET /v1/nodes\x00 HTTP/1.1\r\n${host}\r\n`,
  `GET /v1/\xff\xfe HTTP/1.1\r\n${host}\r\n`,
  `GET v1/nodes HTTP/1.1\r\n${host}\r\n`,
  `GET http://other.example/v1/nodes HTTP/1.1\r\n${host}\r\n`,
  `GET http://[::1/v1/nodes HTTP/1.1\r\n${host}\r\n`,
  `GET //other.example/v1/nodes HTTP/1.1\r\n${host}\r\n`,
  `OPTIONS * HTTP/1.1\r\n${host}\r\n`,
  `GET * HTTP/1.1\r\n${host}\r\n`,
  `CONNECT x:80 HTTP/1.1\r\n${host}\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}${host}\r\n`,
  `GET /v1/nodes HTTP/1.1\n${host}\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}a: b\r\n c\r\n\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}a b: c\r\n\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}: c\r\n\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}a: \x00\r\n\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}a: ${"a".repeat(20_000)}\r\n\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}${"a: b\r\n".repeat(3_000)}\r\n`,
  `GET /v1/${"a".repeat(20_000)} HTTP/1.1\r\n${host}\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}Expect: nothing\r\n\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nab`,
  `POST /v1/auth/nonce HTTP/1.1\r\n${host}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
  `POST /v1/auth/nonce HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n{}`,
  `POST /v1/auth/nonce HTTP/1.1\r\n${host}Content-Length: 99999999999999999999\r\n\r\n{}`,
  `POST /v1/auth/nonce HTTP/1.1\r\n${host}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
  `POST /v1/auth/nonce HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\n{}`,
  `POST /v1/auth/nonce HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  `POST /v1/auth/nonce HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nt: u\r\n\r\n`,
  `POST /v1/auth/nonce HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{`,
  `POST /v1/tasks HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}GET /v1/nodes HTTP/1.1\r\n${host}\r\n`,
  `GET /v1/nodes HTTP/1.1\r\n${host}\r\nGET /v1/none HTTP/1.1\r\n${host}\r\n`,
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/** Odd requests, also cut or followed by junk. */
export const rawRequests: fc.Arbitrary<RawRequest> = fc
  .tuple(
    fc.constantFrom(...oddRequests),
    fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
    fc.array(fc.nat(255), { maxLength: 8 }).map((bytes) => String.fromCharCode(...bytes)),
    fc.boolean(),
  )
  .map(([text, share, tail, isTailed]) => ({
    text: text.slice(0, Math.ceil(text.length * share)) + (isTailed ? tail : ""),
    ends: true,
  }));

/** Sends the bytes and closes. Reads all answers until the server has closed too. */
export function exchange(url: string, text: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const ended = Promise.withResolvers<string>();
  const socket = connect(Number(port), hostname);
  const parts: Buffer[] = [];
  socket.setTimeout(30_000, () => socket.destroy(new Error("The server neither answers nor closes.")));
  socket.on("data", (part) => parts.push(part));
  socket.on("error", (error: NodeJS.ErrnoException) => {
    // The server may close before it has read everything.
    if (error.code === "ECONNRESET" || error.code === "EPIPE")
      ended.resolve(Buffer.concat(parts).toString("latin1"));
    else ended.reject(error);
  });
  socket.on("close", () => ended.resolve(Buffer.concat(parts).toString("latin1")));
  socket.end(Buffer.from(text, "latin1"));
  return ended.promise;
}

/** What is wrong with the answers on a connection: each error is a problem, and none is the server's. */
export function rawErrorsOf(answers: string): string[] {
  return answers
    .split(/(?=HTTP\/1\.1 \d{3} )/)
    .filter((answer) => answer !== "")
    .flatMap((answer) => {
      const [head = "", ...rest] = answer.split("\r\n\r\n");
      const [line = "", ...fields] = head.split("\r\n");
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
      const headers = new Headers();
      for (const field of fields)
        headers.append(field.split(":")[0] ?? "", field.slice(field.indexOf(":") + 1).trim());
      if (!(status >= 100 && status < 500)) return [`the answer is ${answer.slice(0, 500)}`];
      if (status < 400) return [];
      const body = rest.join("\r\n\r\n");
      if (!headers.has("x-request-id")) return [`no x-request-id: ${answer.slice(0, 500)}`];
      const isProblem = headers.get("content-type")?.startsWith("application/problem+json") === true;
      return isProblem && codeIn(body) !== "" ? [] : [`no problem: ${answer.slice(0, 500)}`];
    });
}
