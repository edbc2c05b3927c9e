import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { openEngine } from "../../node-client/docker/engine.ts";
import { createNodeRequests } from "../../node-client/nodeRequests.ts";
import type { Container } from "../../node-client/reconcileFacts.ts";

describe("a request to the node itself", () => {
  it("that is cancelled ends alone, even if something is written to it before it is closed", async () => {
    const dir = mkdtempSync(join(tmpdir(), "ngpu-requests-"));
    const stop = new AbortController();
    // An engine that never answers, so that the request stays open.
    const engine = createSocket(() => undefined).listen(join(dir, "engine.sock"));
    const requests = createNodeRequests({
      engine: openEngine({ socket: join(dir, "engine.sock"), market: "00000000", node: "0x" }),
      current: () => ({ container: { id: "1" } as Container }),
      logger: createLogger("test", "silent"),
      signal: stop.signal,
    });
    const server = createServer();
    const opened = Promise.withResolvers<ServerHttp2Stream>();
    server.on("stream", (stream, headers) => {
      requests.answer(stream, String(headers[":path"]));
      // Between the cancellation and its close, as a line that the engine sends at that moment.
      stream.once("aborted", () => stream.write("a line\n"));
      opened.resolve(stream);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    try {
      const request = session.request({ ":path": "/n/1/0/1/logs?follow=true" });
      const stream = await opened.promise;
      expect(stream.listenerCount("error"), "the request's own listener").to.equal(1);
      const closed = once(stream, "close");
      request.destroy();
      await closed;
      expect(stream.destroyed).to.equal(true);
    } finally {
      stop.abort();
      session.destroy();
      server.close();
      engine.close();
      rmSync(dir, { recursive: true });
    }
  });
});
