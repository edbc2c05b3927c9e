import { once } from "node:events";
import { type Agent, createServer as createHttpServer, request } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { createContainerAgent } from "../../node-client/containerAgent.ts";

describe("connections to containers", () => {
  let agent: Agent;
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  beforeEach(() => {
    agent = createContainerAgent();
  });
  afterEach(() => {
    agent.destroy();
    for (const socket of sockets) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });

  /** Counts the connections of a server. */
  async function listen(server: Server) {
    const seen = { connections: 0, port: 0 };
    servers.push(server);
    server.on("connection", (socket: Socket) => {
      seen.connections += 1;
      sockets.add(socket);
      socket.on("error", () => undefined);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    seen.port = (server.address() as AddressInfo).port;
    return seen;
  }

  /** A server that sends the same bytes for each request. */
  const answering = (bytes: string) =>
    createServer((socket) => {
      socket.on("data", () => socket.write(bytes));
    });

  async function call(port: number): Promise<string> {
    const sent = request({ host: "127.0.0.1", port, agent });
    sent.end();
    const [response] = await once(sent, "response");
    const body = await text(response);
    // The connection is free, or destroyed, after the events of the response.
    await new Promise(setImmediate);
    return body;
  }

  it("are used again when the container promises to keep them", async () => {
    const seen = await listen(createHttpServer((_request, response) => void response.end("ok")));
    for (let calls = 0; calls < 5; calls++) expect(await call(seen.port)).to.equal("ok");
    expect(seen.connections).to.equal(1);
  });

  for (const [what, header] of [
    ["promises nothing", ""],
    ["promises too little", "Keep-Alive: timeout=1\r\n"],
    ["closes them", "Connection: close\r\nKeep-Alive: timeout=5\r\n"],
  ]) {
    it(`are used once when the container ${what}`, async () => {
      const seen = await listen(answering(`HTTP/1.1 200 OK\r\n${header}Content-Length: 2\r\n\r\nok`));
      for (let calls = 0; calls < 3; calls++) expect(await call(seen.port)).to.equal("ok");
      expect(seen.connections).to.equal(3);
    });
  }

  it("are not used again when the container sends more than its answer", async () => {
    const one = "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\n";
    const seen = await listen(answering(`${one}ok${one}no`));
    for (let calls = 0; calls < 3; calls++) expect(await call(seen.port)).to.equal("ok");
    expect(seen.connections).to.equal(3);
  });
});
