import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { WebSocket, WebSocketServer } from "ws";
import { createConnectionMonitor, limits, readInOrder } from "../../../services/match/sessions/connection.ts";

const now = Date.now;

describe("match: sessions while the machine's clock is set", () => {
  afterEach(() => {
    Date.now = now;
  });

  for (const [direction, offset] of [
    ["back", -3_600_000],
    ["forward", 3_600_000],
  ] as const) {
    it(`stay open, and keep their rate, when it is set ${direction}`, async () => {
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
      await once(server, "listening");
      const monitor = createConnectionMonitor();
      const handled: string[] = [];
      const errors: unknown[] = [];
      server.on("connection", (ws) => {
        monitor.watch(ws);
        readInOrder(
          ws,
          async (text) => void handled.push(text),
          (error) => errors.push(error),
        );
      });
      const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
      await once(client, "open");
      client.send("before");
      while (handled.length < 1) await delay(5);
      Date.now = () => now() + offset;
      for (let index = 0; index < 10; index += 1) client.send(`after ${index}`);
      while (handled.length + errors.length < 11) await delay(5);
      // Three ticks of the monitor.
      await delay(800);
      expect(errors).to.deep.equal([]);
      expect(client.readyState).to.equal(WebSocket.OPEN);
      while (errors.length < 1) {
        for (let index = 0; index <= limits.burst; index += 1) client.send("flood");
        await delay(5);
      }
      expect(errors[0]).to.have.property("code", "rate_limited");
      client.terminate();
      monitor.stop();
      server.close();
    });
  }
});
