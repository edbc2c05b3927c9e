import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { parseNodeReason } from "@ngpu/protocol/reasons/nodeReason";
import { expect } from "chai";
import fc from "fast-check";
import { checkHealth } from "../../node-client/health.ts";
import { anyCase, invalidCase, type Script, validCase } from "../services/bytes/grammar.ts";
import { runs } from "../support/runs.ts";

const count = runs(150);

describe("the health path of a container", () => {
  const servers: Server[] = [];
  const listening = async (server: Server) => {
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  };
  after(() => {
    for (const server of servers) server.close();
  });

  it("that redirects is not followed: the node requests nothing of its machine or network for a container", async () => {
    let asked = 0;
    const internal = await listening(
      createHttpServer((_request, response) => {
        asked += 1;
        response.writeHead(404).end("the machine's secret");
      }),
    );
    for (const status of [301, 302, 303, 307, 308]) {
      const port = await listening(
        createHttpServer((_request, response) => {
          response.writeHead(status, { location: `http://127.0.0.1:${internal}/` }).end("moved");
        }),
      );
      const failure = await checkHealth(port, "/healthz");
      expect(failure).to.deep.equal({ status, answer: "moved" });
    }
    expect(asked).to.equal(0);
  });

  it(`is healthy, or fails with a reason that can be reported, whatever the container answers, ${count} answers`, async () => {
    const uncaught: unknown[] = [];
    const note = (error: unknown) => void uncaught.push(error);
    process.on("uncaughtExceptionMonitor", note);
    let script: Script = { parts: [], end: "fin" };
    const port = await listening(createServer((socket) => void play(script, socket)));
    const given = fc.oneof(
      anyCase,
      invalidCase,
      validCase.map((one) => one.script),
    );
    try {
      await fc.assert(
        fc.asyncProperty(given, async (drawn) => {
          script = drawn;
          const failure = await checkHealth(port, "/healthz");
          if (failure === undefined) return;
          const details = { path: "/healthz", port, ...failure };
          expect(parseNodeReason("health_failing", details)).not.to.have.property("invalid");
        }),
        { numRuns: count },
      );
    } finally {
      process.off("uncaughtExceptionMonitor", note);
    }
    expect(uncaught).to.deep.equal([]);
  });
});

async function play({ parts, end }: Script, socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  socket.resume();
  for (const part of parts) {
    socket.write(part);
    await setImmediate();
  }
  if (end === "fin") socket.end();
  else socket.resetAndDestroy();
}
