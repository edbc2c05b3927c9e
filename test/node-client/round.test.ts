import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { NgpuError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { measureRound } from "../../node-client/measure/measurementRound.ts";

const limits = { milliseconds: 50, bytes: 1 << 16, diskMib: 1 };

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An order for a node whose probe is awaited, in a window of 8 s that closes in `seconds`. */
const order = (url: string, seconds: number, awaitProbe = true) => ({
  url,
  awaitProbe,
  token: "00",
  closesAt: Math.ceil(Date.now() / 1_000) + seconds,
});

describe("a measurer's round", () => {
  it("finds a node absent when its port does not respond until shortly before the window closes", async () => {
    const server = createServer();
    const url = await listening(server);
    server.close();
    const signal = AbortSignal.timeout(20_000);
    const result = await measureRound(order(url, 3), 8, { signal, limits, privateAddresses: true });
    expect(result).to.deep.include({ absent: true, portsReachable: 0, downMbps: 0 });
  });

  it("fails when another server responds at the port", async () => {
    const server = createServer((_request, response) => response.writeHead(500).end("no"));
    const url = await listening(server);
    const signal = AbortSignal.timeout(20_000);
    const error = await measureRound(order(url, 3), 8, { signal, limits, privateAddresses: true }).catch(
      (failure: unknown) => failure,
    );
    server.close();
    expect(error).to.be.instanceOf(NgpuError);
    expect((error as NgpuError).code).to.equal("probe_failed");
  });

  it("fails when a probe that was ready does not respond", async () => {
    const server = createServer();
    const url = await listening(server);
    server.close();
    const signal = AbortSignal.timeout(20_000);
    const error = await measureRound(order(url, 3, false), 8, {
      signal,
      limits,
      privateAddresses: true,
    }).catch((failure: unknown) => failure);
    expect((error as NgpuError).code).to.equal("probe_unreachable");
  });
});
