import { once } from "node:events";
import { connect } from "node:net";
import { expect } from "chai";
import { type Setup, setup, token } from "./setup.ts";

/** A request that must not be served: it is a part of another one. */
const smuggled = `GET /v1/route/7/smuggled HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`;
const hex = (text: string) => Buffer.byteLength(text).toString(16);

/** A request whose head has these lines besides the usual ones. */
const post = (lines: string[], body: string, { ends = "\r\n" } = {}) =>
  [
    ...["POST /v1/route/7/first HTTP/1.1", "Host: a", `Authorization: Bearer ${token}`, ...lines].map(
      (line) => `${line}${ends}`,
    ),
    ends,
    body,
  ].join("");

const ended = "0\r\n\r\n";
const chunk = (text: string) => `${hex(text)}\r\n${text}\r\n`;
const length = (text: string) => `Content-Length: ${Buffer.byteLength(text)}`;
const chunked = "Transfer-Encoding: chunked";

/** Requests of the published kinds, in which two readers could find different ends. */
const attacks: Record<string, string> = {
  "a length and chunks (CL.TE)": post([length(ended + smuggled), chunked], ended + smuggled),
  "chunks and a shorter length (TE.CL)": post([chunked, "Content-Length: 4"], chunk(smuggled) + ended),
  "two lengths": post(["Content-Length: 0", length(smuggled)], smuggled),
  "two lengths in one header": post([`Content-Length: 0, ${Buffer.byteLength(smuggled)}`], smuggled),
  "a length with a sign": post([`Content-Length: +${Buffer.byteLength(smuggled)}`], smuggled),
  "a negative length": post(["Content-Length: -1"], smuggled),
  "a length in hexadecimal": post([`Content-Length: 0x${hex(smuggled)}`], smuggled),
  "a length beyond 64 bits": post(["Content-Length: 18446744073709551616"], smuggled),
  "a space before the colon": post(
    [length(ended + smuggled), "Transfer-Encoding : chunked"],
    ended + smuggled,
  ),
  "a folded header": post(
    [length(ended + smuggled), "X: a", " Transfer-Encoding: chunked"],
    ended + smuggled,
  ),
  "a header that begins the head": post([` ${chunked}`, length(ended + smuggled)], ended + smuggled),
  "an unknown coding": post(["Transfer-Encoding: xchunked", length(ended + smuggled)], ended + smuggled),
  "chunks that are not last": post(["Transfer-Encoding: chunked, identity"], ended + smuggled),
  "two codings": post([chunked, "Transfer-Encoding: identity"], ended + smuggled),
  "chunks in quotes": post(['Transfer-Encoding: "chunked"', length(ended + smuggled)], ended + smuggled),
  "a vertical tab before chunks": post(
    ["Transfer-Encoding:\vchunked", length(ended + smuggled)],
    ended + smuggled,
  ),
  "a null in a header": post([length(smuggled), "X: a\0b"], smuggled),
  "a bare line feed in a header": post([`X: a\nContent-Length: ${Buffer.byteLength(smuggled)}`], smuggled),
  "a bare carriage return in a header": post(
    [`X: a\rContent-Length: ${Buffer.byteLength(smuggled)}`],
    smuggled,
  ),
  "line feeds alone": post([length(smuggled)], smuggled, { ends: "\n" }),
  "a chunk's size in another form": post([chunked], `0x${hex(smuggled)}\r\n${smuggled}\r\n${ended}`),
  "a chunk's size beyond 64 bits": post([chunked], `10000000000000000\r\n${smuggled}`),
  "a chunk that is longer than its size": post([chunked], `1\r\nab${smuggled}`),
  "a chunk extension with a line feed": post([chunked], `1;a\nb\r\nx\r\n${chunk(smuggled)}${ended}`),
  "a length among trailers": post([chunked], `0\r\n${length(smuggled)}\r\n\r\n${chunk("x")}`),
  "a header without a name": post([": chunked", length(smuggled)], smuggled),
  "a header without a colon": post(["Transfer-Encoding", length(smuggled)], smuggled),
  "chunks in HTTP/1.0": post([chunked, length(ended + smuggled)], ended + smuggled).replace(
    "HTTP/1.1",
    "HTTP/1.0",
  ),
  "another version": post([length(smuggled)], smuggled).replace("HTTP/1.1", "HTTP/1.9"),
  "a line break in the target": post([length(smuggled)], smuggled).replace("/first", "/first\rX"),
};

describe("gateway: requests whose end is not clear", () => {
  let gateway: Setup;
  const seen: string[] = [];
  before(async function () {
    this.timeout(60_000);
    gateway = await setup();
    await gateway.addConnectedNode(1, (incoming, outgoing) => {
      seen.push(incoming.url);
      incoming.resume();
      incoming.once("end", () => outgoing.end("ok"));
    });
    await gateway.setAssignments([{ workspace_id: 7, replica: 0, lease: 1, node_id: 1 }]);
    let isServed = false;
    while (!isServed) isServed = (await gateway.route("/7/ready")).status === 200;
  });
  beforeEach(() => seen.splice(0));
  after(() => gateway?.stop());

  /** Sends bytes, and reads what is answered before `isDone`. The connection stays open: its end would cancel its requests. */
  async function send(bytes: string, isDone: (answer: string) => Promise<boolean>): Promise<string> {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on("error", () => undefined);
    let answer = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      answer += text;
    });
    await once(socket, "connect");
    socket.write(Buffer.from(bytes, "latin1"));
    while (!(await isDone(answer)));
    socket.destroy();
    return answer;
  }

  it("serves two requests on one connection, so that it would serve a smuggled one", async () => {
    await send(post(["Content-Length: 0"], smuggled), async (answer) => {
      expect((await gateway.route("/7/meanwhile")).status).to.equal(200);
      return answer.match(/HTTP\/1\.1 200/g)?.length === 2;
    });
    expect(seen.filter((path) => !path.endsWith("/meanwhile"))).to.deep.equal([
      "/w/7/0/1/first",
      "/w/7/0/1/smuggled",
    ]);
  });

  for (const [name, bytes] of Object.entries(attacks)) {
    it(`takes no second request from ${name}`, async () => {
      let others = 0;
      // Each of these takes as long as a request of the attack.
      await send(bytes, async () => {
        expect((await gateway.route("/7/meanwhile")).status).to.equal(200);
        others += 1;
        return others === 6;
      });
      expect(seen.filter((path) => path.includes("smuggled"))).to.deep.equal([]);
      // Others are served as before.
      expect((await gateway.route("/7/after")).status).to.equal(200);
    });
  }
});
