import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { implausiblePart, measurementBounds } from "@ngpu/protocol/measurementBounds";
import { expect } from "chai";
import { probeHandler } from "../../images/probe/app.ts";
import { probeConfig } from "../../images/probe/env.ts";
import { measureProbe } from "../../node-client/measure/measure.ts";

const token = "a-token-that-match-gave";
const limits = { milliseconds: 300, bytes: 32 << 20, diskMib: 4 };

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
    server = createServer(probeHandler(probeConfig({ PROBE_TOKEN: token, PROBE_DATA_DIR: dir })));
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

  /** Measures through a server that answers a path with `lie`, and is the real probe for all others. */
  const measuredWith = async (path: string, lie: RequestListener, at = limits) => {
    const honest = probeHandler(probeConfig({ PROBE_TOKEN: token, PROBE_DATA_DIR: dir }));
    const liar = createServer((request, response) =>
      request.url?.startsWith(path) === true ? lie(request, response) : honest(request, response),
    );
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

  it("does not take a short burst for a rate", async () => {
    const burst: RequestListener = (_request, response) => response.end(Buffer.alloc(64));
    expect(await measuredWith("/download", burst)).to.have.property("code", "probe_failed");
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
