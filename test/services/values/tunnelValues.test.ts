import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import fc from "fast-check";
import { runs } from "../../support/runs.ts";
import { echo, goodHandshake, handshakeHeaders } from "../gateway/node.ts";
import { type Setup, setup, token } from "../gateway/setup.ts";
import { eventually } from "../support/context.ts";

/** Bytes that a header may carry on the wire, and texts that numbers and hex may become. */
const headerValues = fc.oneof(
  fc.constantFrom(
    ...[
      "",
      "0",
      "-1",
      "1e9",
      "9".repeat(15),
      "9".repeat(400),
      "0x",
      `0x${"0".repeat(40)}`,
      `0x${"f".repeat(40)}`,
    ],
    ...[`0x${"0".repeat(64)}`, `0x${"f".repeat(130)}`, `0x${"0".repeat(130)}`, "NaN", "\u00ff".repeat(200)],
  ),
  fc.string({ unit: fc.constantFrom(..."\t !\"',;:0aZ\u0080\u00e9\u00ff"), maxLength: 300 }),
);

/** Frames of HTTP/2, right and wrong: a length, a type, flags, a stream and bytes. */
const frame = fc
  .record({
    length: fc.option(fc.constantFrom(0, 1, 8, 16_384, 2 ** 24 - 1), { nil: undefined }),
    type: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255),
    flags: fc.constantFrom(0, 1, 4, 5, 8, 32, 255),
    stream: fc.constantFrom(0, 1, 2, 3, 2 ** 31 - 1, 2 ** 32 - 1),
    bytes: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ length, type, flags, stream, bytes }) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(length ?? bytes.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, bytes]);
  });
const emptySettings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

describe("any bytes that a node sends to a gateway, and any request for a workspace", function () {
  this.timeout(180_000);
  let market: Setup;
  let outsider: Awaited<ReturnType<Setup["addNode"]>>;
  before(async () => {
    market = await setup();
    await market.addConnectedNode(1, echo("healthy"));
    outsider = await market.addNode(2);
    await market.setAssignments([
      { workspace_id: 1, replica: 0, lease: 1, node_id: 1 },
      { workspace_id: 2, replica: 0, lease: 1, node_id: 2 },
    ]);
    await eventually("the healthy replica answers", async () => (await market.route("/1/x")).ok);
  });
  after(() => market.stop());

  /** The healthy node's replica answers through the tunnel that it opened at the beginning. */
  const stillServes = async () => {
    const response = await market.route("/1/path?query", { method: "POST", body: "body" });
    expect(response.status).to.equal(200);
    expect(await response.json()).to.include({ name: "healthy", path: "/w/1/0/1/path?query", bytes: 4 });
  };

  /** Asks for a tunnel over a plain socket. @returns the socket and the status */
  const ask = async (headers: Record<string, string>, method = "GET", path = "/v1/tunnel") => {
    const { hostname, port } = new URL(market.url);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined);
    const lines = Object.entries({
      host: "gateway",
      connection: "Upgrade",
      upgrade: "ngpu-tunnel",
      ...headers,
    });
    const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    socket.write(Buffer.from(`${method} ${path} HTTP/1.1\r\n${text}\r\n`, "latin1"));
    const [first] = (await Promise.race([once(socket, "data"), once(socket, "close").then(() => [""])])) as [
      Buffer,
    ];
    return { socket, status: Number(/^HTTP\/1\.1 (\d+)/.exec(first.toString("latin1"))?.[1] ?? 0) };
  };
  const handshake = () => handshakeHeaders(market.deployment, goodHandshake(outsider, "http://gateway.test"));

  it("refuses a handshake with any value in any header, and no other node", async () => {
    for (const name of ["x-ngpu-key", "x-ngpu-time", "x-ngpu-challenge", "x-ngpu-signature", "upgrade"]) {
      await fc.assert(
        fc.asyncProperty(headerValues, async (value) => {
          const { socket, status } = await ask({ ...(await handshake()), [name]: value });
          socket.destroy();
          expect(status, name).to.be.within(400, 499);
        }),
        { numRuns: runs(15) },
      );
    }
    await stillServes();
  });

  it("ends only the tunnel whose frames are wrong, with a request in it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 6 }), fc.boolean(), async (frames, isHttp2) => {
        const { socket, status } = await ask(await handshake());
        expect(status).to.equal(101);
        if (isHttp2) socket.write(emptySettings);
        for (const bytes of frames) socket.write(bytes);
        const theirs = market.route("/2/x", { signal: AbortSignal.timeout(1_000) }).then(
          ({ status: code }) => code,
          () => 0,
        );
        await stillServes();
        await closed(socket);
        const code = await theirs;
        expect(code === 0 || code === 200 || (code >= 400 && code < 600), String(code)).to.equal(true);
      }),
      { numRuns: runs(30) },
    );
    await stillServes();
  });

  it("answers a request with any path, id, method and headers, and serves the next one", async () => {
    const ids = [
      "0",
      "1",
      "-1",
      "9".repeat(19),
      "9".repeat(20),
      "9".repeat(300),
      "1e1",
      "0x1",
      "%31",
      "",
      ".",
    ];
    const parts = [
      "",
      "..",
      "%2e%2e",
      "%00",
      "%",
      "%ff",
      ";",
      "?a=b&a",
      "*",
      "//",
      "x".repeat(7_000),
      "\u00e9",
    ];
    const headers = fc.dictionary(
      fc.constantFrom("x-odd", "accept", "content-type", "x-request-id", "x-ngpu-timeout", "te", "cookie"),
      headerValues.map((value) => value.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "")),
      { maxKeys: 4 },
    );
    const methods = fc.constantFrom("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND");
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...ids),
        fc.array(fc.constantFrom(...parts), { maxLength: 3 }),
        methods,
        headers,
        async (id, rest, method, given) => {
          const status = await statusOf(market.url, `/v1/route/${[id, ...rest].join("/")}`, method, given);
          expect(status === 0 || (status >= 200 && status < 600), String(status)).to.equal(true);
          expect(status, `${method} ${id}`).to.not.equal(500);
        },
      ),
      { numRuns: runs(150) },
    );
    await stillServes();
  });
});

/** Waits for the gateway to close a tunnel, or closes it: some frames are not wrong. */
async function closed(socket: Socket): Promise<void> {
  if (!socket.destroyed) await Promise.race([once(socket, "close"), delay(50)]);
  socket.destroy();
}

/** The status of a request that no client library corrects; 0: it cannot be sent, or the connection was closed. */
function statusOf(
  url: string,
  path: string,
  method: string,
  headers: Record<string, string>,
): Promise<number> {
  return new Promise((resolve) => {
    try {
      const sent = request(
        url,
        { method, headers: { ...headers, authorization: `Bearer ${token}` } },
        (response) => {
          response.resume();
          response.once("close", () => resolve(response.statusCode ?? 0));
        },
      );
      // As it is: Node would refuse some of these bytes.
      Object.assign(sent, { path: Buffer.from(path).toString("latin1") });
      sent.once("error", () => resolve(0));
      sent.end();
    } catch {
      resolve(0);
    }
  });
}
