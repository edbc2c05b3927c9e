import { createHash, createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { Agent, type IncomingMessage, request, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { probeHandler } from "../../images/probe/app.ts";
import { type DiskResult, removeLeftovers } from "../../images/probe/disk.ts";
import { type ProbeConfig, probeConfig } from "../../images/probe/env.ts";
import { pseudoRandom, type Taken } from "../../images/probe/transfer.ts";
import { listen } from "../../images/shared/serve.ts";
import { jsonOf, until } from "./helpers.ts";

const token = "a-token-of-the-round";
const secret = "a-secret-set-apart";

describe("probe", function () {
  this.timeout(10_000);
  let server: Server;
  let url: string;
  let dataDir: string;

  async function setup(changes: Partial<ProbeConfig> = {}) {
    const config = { ...probeConfig({ PROBE_TOKEN: token, PROBE_SECRET: secret }), dataDir, maxDiskMib: 8 };
    const serving = await listen(probeHandler({ ...config, maxBytes: 8 << 20, ...changes }), 0, "127.0.0.1");
    return { server: serving.server, url: `http://127.0.0.1:${serving.port}` };
  }
  const call = (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${token}` }, ...init });

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "ngpu-probe-"));
    ({ server, url } = await setup());
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(dataDir, { recursive: true });
  });

  it("requires the token except at /healthz", async () => {
    expect((await fetch(`${url}/healthz`)).status).to.equal(200);
    const paths = [
      "GET /challenge?nonce=1",
      "GET /download?bytes=1",
      "POST /upload",
      "POST /disk?mib=1",
      "GET /no",
    ];
    for (const [method, path] of paths.map((each) => each.split(" "))) {
      for (const authorization of ["", "Bearer wrong", token]) {
        const init = { method: method ?? "", headers: { authorization } };
        const response = await fetch(`${url}${path}`, init);
        expect(response.status, `${method} ${path}`).to.equal(401);
      }
    }
  });

  it("answers a challenge with an HMAC keyed with its secret", async () => {
    const nonce = randomBytes(16).toString("hex");
    const answer = await (await call(`/challenge?nonce=${nonce}`)).json();
    expect(answer).to.deep.equal({ nonce, hmac: createHmac("sha256", secret).update(nonce).digest("hex") });
  });

  it("binds the next answer of a connection to its challenge, and no other", async () => {
    const nonce = randomBytes(16).toString("hex");
    const key = createHmac("sha256", secret).update(`connection ${nonce}`).digest();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = async (method: string, path: string, body = "") => {
      const outgoing = request(`${url}${path}`, {
        agent,
        method,
        headers: { authorization: `Bearer ${token}` },
      });
      outgoing.end(body);
      const [response] = (await once(outgoing, "response")) as [IncomingMessage];
      const text = Buffer.concat(await response.toArray());
      return { code: response.headers["x-probe-code"], text };
    };
    await ask("GET", `/challenge?nonce=${nonce}`);
    const bound = await ask("POST", "/upload", "bytes");
    expect(bound.code).to.equal(createHmac("sha256", key).update(`answer ${bound.text}`).digest("hex"));
    expect((await ask("POST", "/upload", "bytes")).code).to.equal(undefined);

    await ask("GET", `/challenge?nonce=${nonce}`);
    const seed = createHmac("sha256", key).update("download").digest();
    expect((await ask("GET", "/download?bytes=300001")).text.equals(pseudoRandom(seed)(300_001))).to.equal(
      true,
    );
    agent.destroy();
  });

  it("keys challenges with the token if no secret is set", () => {
    expect(probeConfig({ PROBE_TOKEN: token }).secret).to.equal(token);
  });

  it("rejects an empty or too long nonce", async () => {
    expect((await call("/challenge")).status).to.equal(400);
    expect((await call(`/challenge?nonce=${"x".repeat(257)}`)).status).to.equal(400);
  });

  it("sends exactly the requested number of bytes, different ones each time", async () => {
    const bodies = await Promise.all(
      [1, 300_001, 300_001].map(async (bytes) =>
        Buffer.from(await (await call(`/download?bytes=${bytes}`)).arrayBuffer()),
      ),
    );
    expect(bodies.map((body) => body.length)).to.deep.equal([1, 300_001, 300_001]);
    expect(bodies[1]?.equals(bodies[2] ?? Buffer.alloc(0))).to.equal(false);
  });

  it("generates the same bytes from the same seed for any piece size", () => {
    const one = pseudoRandom(Buffer.from("seed"));
    const two = pseudoRandom(Buffer.from("seed"));
    expect(Buffer.concat([one(10), one(20)]).equals(two(30))).to.equal(true);
  });

  it("rejects amounts out of bounds", async () => {
    for (const bytes of ["0", "-1", "1.5", "1e3", "", `${(8 << 20) + 1}`]) {
      expect((await call(`/download?bytes=${bytes}`)).status, bytes).to.equal(400);
    }
    expect((await call("/disk?mib=9", { method: "POST" })).status).to.equal(400);
  });

  it("measures an upload and returns its size and hash", async () => {
    const body = randomBytes(3 << 20);
    const taken = await jsonOf<Taken>(call("/upload", { method: "POST", body }));
    expect(taken).to.include({ bytes: body.length, sha256: createHash("sha256").update(body).digest("hex") });
    expect(taken.durationMs).to.be.greaterThan(0);
  });

  it("rejects an upload above the limit", async () => {
    const response = await call("/upload", { method: "POST", body: Buffer.alloc((8 << 20) + 1) });
    expect(response.status).to.equal(413);
  });

  it("measures the disk, verifies the data and deletes its file", async () => {
    const result = await jsonOf<DiskResult>(call("/disk?mib=8", { method: "POST" }));
    expect(result.verified).to.equal(true);
    expect(result.writeMibps).to.be.greaterThan(0);
    expect(result.readMibps).to.be.greaterThan(0);
    expect(result.totalBytes).to.be.greaterThan(result.freeBytes);
    expect(await readdir(dataDir)).to.deep.equal([]);
  });

  it("deletes only the files left by a killed probe", async () => {
    const dir = await mkdtemp(join(dataDir, "left-"));
    await writeFile(join(dir, "probe-0123"), "");
    await writeFile(join(dir, "other"), "");
    await removeLeftovers(dir);
    expect(await readdir(dir)).to.deep.equal(["other"]);
    await rm(dir, { recursive: true });
  });

  it("rejects transfers above the limit and frees the place of an aborted one", async () => {
    const one = await setup({ maxTransfers: 1 });
    const auth = { Authorization: `Bearer ${token}` };
    // A stalled upload occupies the only place.
    const stalled = connect(Number(new URL(one.url).port), "127.0.0.1");
    stalled.on("error", () => stalled.destroy());
    stalled.write(
      `POST /upload HTTP/1.1\r\nHost: probe\r\nAuthorization: Bearer ${token}\r\nContent-Length: 9\r\n\r\n1`,
    );
    try {
      const download = () => fetch(`${one.url}/download?bytes=9`, { headers: auth });
      await until(async () => (await download()).status === 503, 2_000);
      stalled.destroy();
      await until(async () => (await download()).status === 200, 2_000);
    } finally {
      stalled.destroy();
      one.server.closeAllConnections();
      one.server.close();
    }
  });

  it("closes a transfer at its deadline", async () => {
    const short = await setup({ maxMs: 100 });
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
    const init = { method: "POST", headers: { Authorization: `Bearer ${token}` }, body, duplex: "half" };
    const failure = await fetch(`${short.url}/upload`, init as RequestInit).catch((error: Error) => error);
    expect(failure).to.be.instanceOf(Error);
    short.server.close();
  });

  it("does not start without a token, or with a short one", () => {
    expect(() => probeConfig({})).to.throw("PROBE_TOKEN");
    expect(() => probeConfig({ PROBE_TOKEN: "short" })).to.throw("PROBE_TOKEN");
  });
});
