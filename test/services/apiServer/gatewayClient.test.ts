import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { NgpuError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { createGateway, nodeJson } from "../../../services/apiServer/gatewayClient.ts";

describe("apiServer's requests to nodes", () => {
  /** The code of the error that a request ends with, when the gateway does this. */
  async function errorWith(gateway: RequestListener): Promise<unknown> {
    const server = createServer(gateway).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const client = createGateway({ url: `http://127.0.0.1:${port}`, token: "t" });
    const signal = AbortSignal.timeout(300);
    const request = { workspaceId: "1", replica: 0, path: "/stats", method: "GET", silence: 60_000, signal };
    try {
      return await nodeJson(await client.node(request), signal);
    } catch (error) {
      return error instanceof NgpuError ? error.code : error;
    } finally {
      client.close();
      server.closeAllConnections();
      server.close();
    }
  }
  const node = { "x-ngpu-node-id": "7", "x-ngpu-replica": "0", "x-ngpu-lease": "1" };

  it("end with an error of their own when a node is silent, before its answer or in it", async () => {
    expect(await errorWith(() => {})).to.equal("node_timeout");
    const begins: RequestListener = (_request, response) => void response.writeHead(200, node).write("{");
    expect(await errorWith(begins)).to.equal("node_timeout");
  });

  it("end with an error of their own when a node's answer breaks off or is no JSON", async () => {
    const breaks: RequestListener = (_request, response) => {
      response.writeHead(200, node).write("{", () => response.destroy());
    };
    const odd: RequestListener = (_request, response) => void response.writeHead(200, node).end("odd");
    for (const gateway of [breaks, odd]) expect(await errorWith(gateway)).to.equal("node_answer_invalid");
  });

  it("end with an error of their own when a node's answer has no end, of which little is read", async () => {
    let written = 0;
    const part = Buffer.alloc(1 << 14, " ");
    const floods: RequestListener = (_request, response) => {
      response.writeHead(200, node);
      const more = () => {
        while (!response.destroyed) {
          written += part.length;
          if (!response.write(part)) return void response.once("drain", more);
        }
      };
      more();
    };
    expect(await errorWith(floods)).to.equal("node_answer_invalid");
    // What is read, and what the connection holds.
    expect(written).to.be.lessThan(16 << 20);
  });
});
