import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { createHttpServer, listen } from "@ngpu/runtime/http";
import { idleTimes } from "@ngpu/runtime/httpLimits";
import { expect } from "chai";
import { createGateway } from "../../../services/apiServer/gatewayClient.ts";
import { createTestContext } from "../../services/support/context.ts";

const request = {
  workspaceId: "1",
  method: "POST",
  path: "/",
  headers: {},
  body: Buffer.from("a"),
  signal: new AbortController().signal,
};

describe("kept connections", () => {
  it("are kept longer by every server than by the clients of services", async () => {
    expect(idleTimes.server).to.be.greaterThan(2 * idleTimes.client);
    const context = createTestContext("idle");
    const { server } = await listen(
      (_request, response) => response.end(),
      { host: "127.0.0.1", port: 0 },
      context,
    );
    expect(server.keepAliveTimeout).to.equal(idleTimes.server);
    expect(server.headersTimeout).to.be.greaterThan(server.keepAliveTimeout);
    expect(createServer().keepAliveTimeout).to.be.lessThan(idleTimes.client);
    await context.stop();
  });

  it("lose no request that is sent around the moment at which they close", async () => {
    const context = createTestContext("idle");
    const server = createHttpServer(
      (request, response) => {
        request.resume();
        request.once("end", () => {
          response.writeHead(200, { "x-ngpu-node-id": "1", "content-length": "2" });
          response.end("ok");
        });
      },
      { idle: 3_000 },
    );
    let connections = 0;
    server.on("connection", () => {
      connections += 1;
    });
    const { url } = await listen(server, { host: "127.0.0.1", port: 0 }, context);
    const gateway = createGateway({ url, token: "t", idle: 60 });
    const timeouts = [0, 40, 55, 58, 59, 60, 61, 62, 65, 90];
    for (const pause of [...timeouts, ...timeouts, ...timeouts]) {
      const { message } = await gateway.call({ ...request, silence: 10_000 });
      expect(message.statusCode).to.equal(200);
      await message.resume().toArray();
      await delay(pause);
    }
    // Some were reused and some had closed.
    expect(connections).to.be.greaterThan(1).and.lessThan(30);
    gateway.close();
    await context.stop();
  });

  it("end when the other side is silent for too long", async () => {
    const context = createTestContext("idle");
    const { url } = await listen(() => undefined, { host: "127.0.0.1", port: 0 }, context);
    const gateway = createGateway({ url, token: "t" });
    const call = gateway.call({ ...request, silence: 50 });
    const error = (await call.catch((reason: unknown) => reason)) as { code?: string };
    expect(error.code).to.equal("gateway_unreachable");
    gateway.close();
    await context.stop();
  });
});
