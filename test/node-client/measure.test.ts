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

  it("times the real probe: transfers both ways, latency and disk", async () => {
    const started = performance.now();
    const result = await measureProbe({ url, token, limits, signal: AbortSignal.timeout(20_000) });
    expect(performance.now() - started).to.be.lessThan(10_000);
    expect(result.portsReachable).to.equal(1);
    // Within one machine anything slower than this would be a fault of the measurement.
    expect(result.downMbps).to.be.greaterThan(50);
    expect(result.upMbps).to.be.greaterThan(50);
    expect(result.latencyTenthMs).to.be.within(1, 1_000);
    expect(result.diskFreeGib).to.be.greaterThan(0);
    expect(result.diskWriteMibps).to.be.greaterThan(0);
  });

  it("is refused by whoever does not know the token", async () => {
    const error = await measureProbe({
      url,
      token: "another-token-of-16",
      limits,
      signal: AbortSignal.timeout(5_000),
    }).catch((fault) => fault);
    expect(error.code).to.equal("probe_failed");
  });

  it("does not take a stranger at the port for the probe", async () => {
    const stranger = createServer((_request, response) =>
      response.end(JSON.stringify({ hmac: "00".repeat(32) })),
    );
    await once(stranger.listen(0, "127.0.0.1"), "listening");
    const at = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
    const error = await measureProbe({ url: at, token, limits, signal: AbortSignal.timeout(5_000) }).catch(
      (fault) => fault,
    );
    expect(error.code).to.equal("probe_false");
    stranger.closeAllConnections();
    stranger.close();
  });

  it("says that a closed port is closed", async () => {
    const at = "http://127.0.0.1:9";
    const error = await measureProbe({ url: at, token, limits, signal: AbortSignal.timeout(5_000) }).catch(
      (fault) => fault,
    );
    expect(error.code).to.equal("probe_unreachable");
  });
});
