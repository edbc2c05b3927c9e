import { connect, type Socket } from "node:net";
import { expect } from "chai";
import { runs } from "../../support/runs.ts";
import { eventually } from "../support/context.ts";
import { chatBody, send } from "./client.ts";
import { afterRequest, answerOk, type ByteMarket, openByteMarket } from "./market.ts";

describe("clients that do not read", function () {
  this.timeout(runs(300_000));
  let market: ByteMarket;
  before(async () => {
    market = await openByteMarket();
  });
  after(() => market.stop());

  it("hold up no other request, and memory stays bounded", async () => {
    const count = runs(100);
    const [slow, other] = market.workspaces as [ByteMarket["workspaces"][0], ByteMarket["workspaces"][0]];
    const part = Buffer.alloc(1 << 16, "x");
    let written = 0;
    // Each container writes as long as it may.
    slow.container.serve = (socket) =>
      afterRequest(socket, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        const more = () => {
          let isFree = true;
          while (isFree && !socket.destroyed && socket.bytesWritten < 64 << 20) {
            isFree = socket.write(part);
            written += part.length;
          }
        };
        socket.on("drain", more);
        more();
      });
    other.container.serve = answerOk;
    const before = process.memoryUsage().rss;
    const { hostname, port } = new URL(market.api.url);
    const body = chatBody(slow.id);
    const sockets: Socket[] = Array.from({ length: count }, () => {
      const socket = connect(Number(port), hostname);
      socket.on("error", () => undefined);
      socket.pause();
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${market.partner.apiKey}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      return socket;
    });
    let last = -1;
    let still = 0;
    const isHeldBack = () => {
      still = written === last && written > count << 16 ? still + 1 : 0;
      last = written;
      return still >= 20;
    };
    await eventually("the containers are held back", isHeldBack, runs(200_000));
    for (let times = 0; times < 5; times++) {
      const seen = await send(market, "/v1/chat/completions", chatBody(other.id)).seen;
      expect([seen.status, seen.body.toString()]).to.deep.equal([200, "ok"]);
    }
    // All hops run in this process. Per reader: the tunnel's window, buffers of four streams, and what the kernel holds.
    const perReader = (process.memoryUsage().rss - before) / count;
    expect(perReader).to.be.lessThan(3 << 20);
    for (const socket of sockets) socket.destroy();
  });
});
