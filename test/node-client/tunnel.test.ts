import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { connect, performServerHandshake } from "node:http2";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { text } from "node:stream/consumers";
import { parseDeployment } from "@ngpu/contracts-sdk/deployment";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { proxyStream } from "../../node-client/proxy.ts";
import { createTunnels } from "../../node-client/tunnels.ts";
import { eventually } from "../services/support/context.ts";
import { deploymentDocument } from "../services/support/deployment.ts";
import { openGateway } from "./gateway.ts";

/** An HTTP server in place of a container. */
async function serveContainer(handler: RequestListener): Promise<{ server: Server; port: number }> {
  const server = createServer(handler);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

describe("a node's tunnel to a real gateway", function () {
  this.timeout(60_000);
  const account = privateKeyToAccount(generatePrivateKey());
  let gateway: Awaited<ReturnType<typeof openGateway>>;
  let abort: AbortController;
  let ports: Map<string, number>;
  let container: { server: Server; port: number };
  let aborted: number;

  before(async () => {
    gateway = await openGateway();
    await gateway.addNode(5, account.address);
    aborted = 0;
    container = await serveContainer((request, response) => {
      if (request.url === "/stream") {
        response.writeHead(200, {
          "content-type": "text/event-stream",
          "x-own": "yes",
          "x-ngpu-error": "faked",
        });
        const timer = setInterval(() => response.write("data: tick\n\n"), 20);
        response.on("close", () => {
          clearInterval(timer);
          aborted += 1;
        });
        return;
      }
      if (request.url === "/die") {
        response.writeHead(200, { "content-length": "1000" });
        response.write("half");
        setTimeout(() => request.socket.destroy(), 20);
        return;
      }
      void text(request).then((body) => {
        response.setHeader("content-type", "application/json");
        response.end(
          JSON.stringify({ method: request.method, url: request.url, body, headers: request.headers }),
        );
      });
    });
    ports = new Map([["9/0/2", container.port]]);
    abort = new AbortController();
    const tunnels = createTunnels({
      account,
      deployment: parseDeployment(deploymentDocument),
      portOf: (lease) => ports.get(lease),
      logger: createLogger("test", process.env.TEST_LOG_LEVEL ?? "silent"),
      signal: abort.signal,
    });
    tunnels.setGateways([gateway.url]);
    await eventually("the tunnel", () => tunnels.open() === 1);
    await gateway.addReplica({ workspace_id: 9, replica: 0, lease: 2, node_id: 5 });
    await eventually("a route", async () => (await gateway.route("/9/healthz")).status === 200);
  });
  after(async () => {
    abort.abort();
    container.server.closeAllConnections();
    container.server.close();
    await gateway.stop();
  });

  it("forwards a request to the container of the lease, and its response back", async () => {
    const response = await gateway.route("/9/v1/echo?a=1", {
      method: "POST",
      body: "hello",
      headers: { "x-mine": "1" },
    });
    const answer = (await response.json()) as { headers: Record<string, string> };
    expect(answer).to.include({ method: "POST", url: "/v1/echo?a=1", body: "hello" });
    expect(answer.headers).to.include({ "x-mine": "1" });
    expect(answer.headers).not.to.have.property("authorization");
    expect(response.headers.get("x-ngpu-node-id")).to.equal("5");
  });

  it("streams the response, and closes it when the client has disconnected", async () => {
    const leave = new AbortController();
    const response = await gateway.route("/9/stream", { signal: leave.signal });
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).to.include("data: tick");
    expect(response.headers.get("x-own")).to.equal("yes");
    leave.abort();
    await eventually("the end of the container's response", () => aborted === 1);
  });

  it("carries 8 MiB each way unchanged", async () => {
    const body = Buffer.alloc(8 << 20, "0123456789abcdef");
    const response = await gateway.route("/9/big", { method: "PUT", body });
    expect(((await response.json()) as { body: string }).body).to.equal(body.toString());
  });

  it("does not present an incomplete response as complete", async () => {
    const response = await gateway.route("/9/die");
    expect(await response.text().catch(() => "broken")).to.equal("broken");
  });

  it("returns 503 for a lease that this node does not run", async () => {
    ports.delete("9/0/2");
    const response = await gateway.route("/9/v1/echo");
    expect(response.status).to.equal(503);
    ports.set("9/0/2", container.port);
  });
});

describe("the node's end of a tunnel", () => {
  /** The node's end, whose gateway asks for a path, and a container that writes raw bytes to each request. */
  async function openEnd(answer: string) {
    const container = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => socket.end(answer));
    });
    const server = createTcpServer();
    for (const one of [container, server]) await once(one.listen(0, "127.0.0.1"), "listening");
    const portOf = (one: TcpServer) => (one.address() as AddressInfo).port;
    const gateway = connect(`http://127.0.0.1:${portOf(server)}`);
    const [socket] = (await once(server, "connection")) as [Socket];
    const session = performServerHandshake(socket);
    session.on("stream", (stream, headers, _flags, rawHeaders) =>
      proxyStream(stream, headers, rawHeaders, {
        portOf: () => portOf(container),
        logger: createLogger("test", "silent"),
      }),
    );
    return {
      ask: async () => {
        const stream = gateway.request({ ":path": "/w/1/0/1/x" });
        const [headers] = (await once(stream, "response")) as [Record<string, string | number>];
        return { headers, body: await text(stream) };
      },
      close: () => {
        gateway.destroy();
        for (const one of [container, server]) one.close();
      },
    };
  }

  it("refuses a response after too many interim ones, and a length that HTTP/2 cannot carry", async () => {
    const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (const [answer, status, reason, body] of [
      [`${"HTTP/1.1 102 Processing\r\n\r\n".repeat(100)}${ok}`, 200, undefined, "ok"],
      [
        `${"HTTP/1.1 102 Processing\r\n\r\n".repeat(101)}${ok}`,
        502,
        "it sends more than 100 interim responses",
        "",
      ],
      ["HTTP/1.1 103 Hints\r\n\r\n".repeat(20_000), 502, "it sends more than 100 interim responses", ""],
      [ok.replace("Length: 2", `Length: ${2n ** 63n}`), 502, `its content-length is ${2n ** 63n}`, ""],
    ] as const) {
      const end = await openEnd(answer);
      const seen = await end.ask();
      expect([seen.headers[":status"], seen.headers["x-ngpu-reason"], seen.body]).to.deep.equal([
        status,
        reason,
        body,
      ]);
      expect(seen.headers["x-ngpu-error"]).to.equal(status === 502 ? "response_invalid" : undefined);
      end.close();
    }
  });

  it("returns an error code for an unknown lease and for an unreachable container", async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const gateway = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await once(server, "connection");
    const session = performServerHandshake(sockets[0] as Socket);
    session.on("stream", (stream, headers, _flags, rawHeaders) =>
      proxyStream(stream, headers, rawHeaders, {
        portOf: (lease) => (lease === "1/0/1" ? 9 : undefined),
        logger: createLogger("test", "silent"),
      }),
    );
    const ask = async (path: string) => {
      const stream = gateway.request({ ":path": path });
      const [headers] = await once(stream, "response");
      stream.resume();
      return [headers[":status"], headers["x-ngpu-error"]];
    };
    expect(await ask("/healthz")).to.deep.equal([200, undefined]);
    expect(await ask("/w/1/0/2/x")).to.deep.equal([404, "lease_not_found"]);
    expect(await ask("/w/1/0/1/x")).to.deep.equal([502, "container_unreachable"]);
    gateway.destroy();
    session.destroy();
    server.close();
  });
});
