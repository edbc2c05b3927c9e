import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { probeHandler } from "../../images/probe/app.ts";
import { probeConfig } from "../../images/probe/env.ts";
import { measureProbe } from "../../node-client/measure/measure.ts";

const token = "a-token-that-match-gave";
const limits = { milliseconds: 300, bytes: 32 << 20, diskMib: 4 };

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
    const result = await measureProbe({ url, token, limits, signal: AbortSignal.timeout(20_000) });
    expect(performance.now() - started).to.be.lessThan(10_000);
    expect(result.portsReachable).to.equal(1);
    // On one machine, a lower rate would be an error of the measurement.
    expect(result.downMbps).to.be.greaterThan(50);
    expect(result.upMbps).to.be.greaterThan(50);
    expect(result.latencyTenthMs).to.be.within(1, 1_000);
    expect(result.diskFreeGib).to.be.greaterThan(0);
    expect(result.diskWriteMibps).to.be.greaterThan(0);
  });

  it("fails with another token", async () => {
    const error = await measureProbe({
      url,
      token: "another-token-of-16",
      limits,
      signal: AbortSignal.timeout(5_000),
    }).catch((failure) => failure);
    expect(error.code).to.equal("probe_failed");
  });

  it("rejects another server at the port", async () => {
    const other = createServer((_request, response) =>
      response.end(JSON.stringify({ hmac: "00".repeat(32) })),
    );
    await once(other.listen(0, "127.0.0.1"), "listening");
    const at = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const error = await measureProbe({ url: at, token, limits, signal: AbortSignal.timeout(5_000) }).catch(
      (failure) => failure,
    );
    expect(error.code).to.equal("probe_mismatch");
    other.closeAllConnections();
    other.close();
  });

  it("reports a closed port as unreachable", async () => {
    const at = "http://127.0.0.1:9";
    const error = await measureProbe({ url: at, token, limits, signal: AbortSignal.timeout(5_000) }).catch(
      (failure) => failure,
    );
    expect(error.code).to.equal("probe_unreachable");
  });
});
