import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request as forward, type RequestListener, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { implausiblePart, measurementBounds } from "@ngpu/protocol/measurementBounds";
import { expect } from "chai";
import { probeHandler } from "../../images/probe/app.ts";
import { probeConfig } from "../../images/probe/env.ts";
import { measureProbe } from "../../node-client/measure/measure.ts";
import { callerToken } from "../../node-client/probeToken.ts";

const token = "a-token-that-match-gave";
const limits = { milliseconds: 300, bytes: 32 << 20, diskMib: 4 };

/** The environment that a node gives to the probe of a round. */
const probeEnv = (dir: string) => ({
  PROBE_TOKEN: callerToken(token),
  PROBE_SECRET: token,
  PROBE_DATA_DIR: dir,
});

/** The error of a measurement that fails. */
const failureOf = (of: { url: string; token: string }) =>
  measureProbe({
    ...of,
    privateAddresses: true,
    limits,
    signal: AbortSignal.timeout(5_000),
  }).catch((failure) => failure);

describe("a measurement", () => {
  let dir: string;
  let server: Server;
  let url: string;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), "ngpu-probe-"));
    server = createServer(probeHandler(probeConfig(probeEnv(dir))));
    await once(server.listen(0, "127.0.0.1"), "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(dir, { recursive: true });
  });

  it("measures the real probe: transfers in both directions, latency and disk", async () => {
    const started = performance.now();
    const result = await measureProbe({
      privateAddresses: true,
      url,
      token,
      limits,
      signal: AbortSignal.timeout(20_000),
    });
    expect(performance.now() - started).to.be.lessThan(10_000);
    expect(result.portsReachable).to.equal(1);
    // Even a busy machine transfers more than this with itself.
    expect(result.downMbps).to.be.greaterThan(1);
    expect(result.upMbps).to.be.greaterThan(1);
    expect(result.latencyTenthMs).to.be.within(1, 1_000);
    expect(result.diskFreeGib).to.be.greaterThan(0);
    expect(result.diskWriteMibps).to.be.greaterThan(0);
  });

  it("fails with another token", async () => {
    const error = await failureOf({ url, token: "another-token-of-16" });
    expect(error.code).to.equal("probe_failed");
  });

  it("rejects another server at the port", async () => {
    const other = createServer((_request, response) =>
      response.end(JSON.stringify({ hmac: "00".repeat(32) })),
    );
    await once(other.listen(0, "127.0.0.1"), "listening");
    const at = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const error = await failureOf({ url: at, token });
    expect(error.code).to.equal("probe_mismatch");
    other.closeAllConnections();
    other.close();
  });

  /**
   * Measures through a server that answers a path with `lie`, and is the real probe for all others. It has the round's secret,
   * as a node that lies does: `x-probe-code` of what it ends its answer with is right, unless it is `another` server.
   */
  const measuredWith = async (path: string, lie: RequestListener, isAnother = false, at = limits) => {
    const honest = probeHandler(probeConfig(probeEnv(dir)));
    const nonces = new WeakMap<object, string>();
    const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
    const liar = createServer((request, response) => {
      const asked = new URL(request.url ?? "/", "http://probe");
      if (asked.pathname === "/challenge") nonces.set(request.socket, asked.searchParams.get("nonce") ?? "");
      if (!asked.pathname.startsWith(path)) return honest(request, response);
      const key = hmac(token, `connection ${nonces.get(request.socket)}`);
      const end = response.end.bind(response) as (body?: unknown) => typeof response;
      response.end = ((body: unknown) => {
        if (!isAnother && typeof body === "string")
          response.setHeader("x-probe-code", hmac(key, `answer ${body}`).toString("hex"));
        return end(body);
      }) as typeof response.end;
      lie(request, response);
    });
    await once(liar.listen(0, "127.0.0.1"), "listening");
    const own = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
    const options = {
      privateAddresses: true,
      url: own,
      token,
      limits: at,
      signal: AbortSignal.timeout(20_000),
    };
    const result = await measureProbe(options).catch((error) => error);
    liar.closeAllConnections();
    liar.close();
    return result;
  };
  const json = (value: unknown): RequestListener => {
    return (request, response) => request.resume().once("end", () => response.end(JSON.stringify(value)));
  };

  it("counts the bytes and seconds of an upload itself, whatever the node says that it received", async () => {
    const huge = { bytes: Number.MAX_VALUE, durationMs: 0.000_001, sha256: "00".repeat(32) };
    expect(await measuredWith("/upload", json(huge))).to.have.property("code", "probe_failed");
    // An answer before the bytes were received.
    const early: RequestListener = (_request, response) => response.end(JSON.stringify(huge));
    expect(await measuredWith("/upload", early)).to.have.property("code", "probe_failed");
  });

  it("does not take a short burst for a rate, nor bytes that anyone could send", async () => {
    const none: RequestListener = (_request, response) => response.end();
    expect(await measuredWith("/download", none)).to.have.property("code", "probe_failed");
    const any: RequestListener = (_request, response) => response.end(Buffer.alloc(limits.bytes));
    expect(await measuredWith("/download", any)).to.have.property("code", "probe_mismatch");
  });

  it("never sends the round's secret, and believes no answer of a server that has only what it was sent", async () => {
    const seen: string[] = [];
    const target = new URL(url);
    const listening = createTcpServer((socket) => {
      const onward = connect(Number(target.port), target.hostname);
      socket.on("data", (bytes) => seen.push(bytes.toString("latin1")));
      socket.on("error", () => onward.destroy()).on("close", () => onward.destroy());
      onward.on("error", () => socket.destroy());
      socket.pipe(onward).pipe(socket);
    });
    await once(listening.listen(0, "127.0.0.1"), "listening");
    const at = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
    const signal = AbortSignal.timeout(20_000);
    const through = await measureProbe({ privateAddresses: true, url: at, token, limits, signal });
    listening.close();
    // A relay that passes everything on is the way to the node's own probe.
    expect(through.portsReachable).to.equal(1);
    expect(seen.join("")).to.include(`Bearer ${callerToken(token)}`);
    expect(seen.join("")).to.not.include(token);

    for (const [path, answer] of [
      ["/disk", { freeBytes: 2 ** 40, writeMibps: 1 }],
      ["/challenge", { hmac: createHmac("sha256", callerToken(token)).update("nonce").digest("hex") }],
    ] as const)
      expect(await measuredWith(path, json(answer), true), path).to.have.property("code", "probe_mismatch");
  });

  it("takes no answer that came over another connection than its challenge", async () => {
    const target = new URL(url);
    // It has every challenge answered by the probe, and what follows over connections of its own.
    const split: RequestListener = (request, response) => {
      const headers = request.headers;
      const options = {
        host: target.hostname,
        port: target.port,
        method: request.method,
        path: request.url,
        headers,
      };
      const onward = forward(options, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      request.pipe(onward);
    };
    expect(await measuredWith("/disk", split, true)).to.have.property("code", "probe_mismatch");
  });

  it("bounds what the node says of its disk by the time of the request, and by the highest value", async () => {
    const disk = { freeBytes: Number.MAX_VALUE, writeMibps: Number.MAX_VALUE };
    const result = await measuredWith("/disk", (_request, response) => {
      setTimeout(() => response.end(JSON.stringify(disk)), 100);
    });
    expect(result.diskFreeGib).to.equal(measurementBounds.diskFreeGib);
    expect(result.diskWriteMibps).to.be.within(1, limits.diskMib * 10);
    expect(implausiblePart(result)).to.equal(undefined);
  });

  it("fails on answers that cannot be read, of any length", async () => {
    const answers = ["", "[", "null", "{}", '{"freeBytes":-1,"writeMibps":1}', "1e999", "x".repeat(1 << 20)];
    for (const answer of answers) {
      const result = await measuredWith("/disk", (_request, response) => response.end(answer));
      expect(result, answer.slice(0, 40)).to.have.property("code", "probe_failed");
    }
  });

  it("does not connect to an address that is not public", async () => {
    const options = { token, limits, signal: AbortSignal.timeout(5_000), privateAddresses: false };
    const failure = (at: string) => measureProbe({ ...options, url: at }).catch((error) => error.code);
    for (const at of [
      url,
      "http://169.254.169.254",
      "http://[::1]:80",
      "http://2130706433",
      "http://0x7f.1",
    ]) {
      expect(await failure(at), at).to.equal("probe_not_public");
    }
    expect(await failure(`http://localhost:${new URL(url).port}`)).to.equal("host_not_public");
  });

  it("reports a closed port as unreachable", async () => {
    const at = "http://127.0.0.1:9";
    const error = await failureOf({ url: at, token });
    expect(error.code).to.equal("probe_unreachable");
  });
});
