import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { createChainClient } from "@ngpu/chain-reader/client";
import { createEndpoints, type EndpointsOptions } from "@ngpu/chain-reader/endpoints/endpoints";
import { requireChain } from "@ngpu/chain-reader/requireChain";
import { FatalError, RetryableError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { numberToHex } from "viem";
import { until } from "../../services/autoExport/setup.ts";

type Call = { id: number; method: string; params: unknown[] };
type Behavior = (response: ServerResponse, calls: Call[], body: unknown) => void;

const latest = { method: "eth_getBlockByNumber", params: ["latest", false] };
const logs = { method: "eth_getLogs", params: [{}] };

/** Responds like a healthy endpoint with the given head. */
const healthy =
  (head: number): Behavior =>
  (response, calls, body) => {
    const answers = calls.map(({ id, method, params }) => ({
      jsonrpc: "2.0",
      id,
      result: result(method, params),
    }));
    response.end(JSON.stringify(Array.isArray(body) ? answers : answers[0]));
    function result(method: string, [at]: unknown[]): unknown {
      if (method !== "eth_getBlockByNumber") return [];
      const number = at === "latest" ? head : Number(at);
      return number > head ? null : { number: numberToHex(number) };
    }
  };

const status =
  (code: number): Behavior =>
  (response) => {
    response.statusCode = code;
    response.end("no");
  };

const rpcError =
  (code: number): Behavior =>
  (response, [call]) =>
    response.end(JSON.stringify({ jsonrpc: "2.0", id: call?.id, error: { code, message: "no" } }));

const cutOff: Behavior = (response) => {
  response.writeHead(200, { "content-length": 1_000 });
  response.write('{"jsonrpc":"2.0","id":0,"result":[');
  response.destroy();
};

describe("a group of endpoints", () => {
  const undos: (() => void)[] = [];
  afterEach(() => {
    for (const undo of undos.splice(0)) undo();
  });

  /** A real HTTP server whose behavior the test sets. */
  async function serve(behavior: Behavior) {
    const sockets = new Set<Socket>();
    const open = () => sockets.size;
    const endpoint = { url: "", behavior, requested: [] as string[], open };
    const server = createServer(async (request, response) => {
      const body = JSON.parse(await bodyOf(request));
      const calls: Call[] = [body].flat();
      endpoint.requested.push(calls.map(({ method }) => method).join(","));
      endpoint.behavior(response, calls, body);
    });
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    undos.push(() => {
      server.closeAllConnections();
      server.close();
    });
    endpoint.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return endpoint;
  }

  function endpointsOf(urls: string[], options: Partial<EndpointsOptions> = {}) {
    const abort = new AbortController();
    undos.push(() => abort.abort());
    const errors: string[] = [];
    const onError = (endpoint: string, code: string) =>
      void errors.push(`${urls.findIndex((url) => url.includes(endpoint))} ${code}`);
    const made = createEndpoints({ urls, onError, signal: abort.signal, ...options });
    return { ...made, errors };
  }

  for (const [kind, behavior, code] of [
    ["responds with 500", status(500), "rpc_failed"],
    ["responds with 429", status(429), "rpc_rate_limited"],
    ["never responds", () => undefined, "rpc_timeout"],
    ["breaks the connection", cutOff, "rpc_failed"],
    ["responds without JSON", ((response) => response.end("<html>")) as Behavior, "rpc_response_invalid"],
    ["responds without a result", ((response) => response.end("{}")) as Behavior, "rpc_response_invalid"],
    ["lacks the method", rpcError(-32601), "rpc_method_unsupported"],
  ] as const) {
    it(`uses another endpoint when one ${kind}, and backs off from that one`, async () => {
      const bad = await serve(behavior);
      const good = await serve(healthy(5));
      const { request, errors, states } = endpointsOf([bad.url, good.url], { deadline: 2_000 });
      expect(await request(latest)).to.deep.equal({ number: "0x5" });
      expect(errors).to.deep.equal([`0 ${code}`]);
      const requested = bad.requested.length;
      for (let index = 0; index < 5; index++) await request(latest);
      expect(bad.requested).to.have.length(requested);
      expect(states()[0]?.consecutiveErrors).to.equal(1);
    });
  }

  it("throws an error of the right class when all endpoints fail", async () => {
    const first = await serve(status(429));
    const second = await serve(status(429));
    const { request } = endpointsOf([first.url, second.url]);
    const error = await request(latest).catch((error: unknown) => error);
    expect(error).to.be.instanceOf(RetryableError);
    expect((error as RetryableError).code).to.equal("rpc_rate_limited");
    first.behavior = rpcError(-32601);
    second.behavior = rpcError(-32601);
    expect(await request(logs).catch((error: unknown) => error)).to.be.instanceOf(FatalError);
  });

  it("penalizes no endpoint whose limit a request exceeds, and tries each once", async () => {
    const first = await serve(rpcError(-32005));
    const second = await serve(rpcError(-32602));
    const { request, states } = endpointsOf([first.url, second.url]);
    const error = await request(logs).catch((error: unknown) => error);
    expect((error as RetryableError).code).to.equal("rpc_limit");
    expect(states().map(({ consecutiveErrors }) => consecutiveErrors)).to.deep.equal([0, 0]);
    expect([first.requested, second.requested]).to.deep.equal([["eth_getLogs"], ["eth_getLogs"]]);
    second.behavior = healthy(5);
    expect(await request(logs)).to.deep.equal([]);
  });

  it("waits as long as a sole endpoint asks for, and sends no request in between", async () => {
    let refusals = 3;
    const sole = await serve((response, calls, body) => {
      if (refusals-- <= 0) return healthy(5)(response, calls, body);
      response.writeHead(429, { "retry-after": "1" }).end("slow down");
    });
    const { request, states } = endpointsOf([sole.url]);
    const waiting = Array.from({ length: 3 }, () => request(latest));
    expect(await Promise.all(waiting)).to.deep.equal(Array(3).fill({ number: "0x5" }));
    // Three refusals and three answers: nobody asked during the pause.
    expect(sole.requested).to.have.length(6);
    expect(states()[0]?.consecutiveErrors).to.equal(0);
  });

  for (const [what, cut] of [
    ["the head and stops", (response: ServerResponse) => response.flushHeaders()],
    ["half a body and stops", (response: ServerResponse) => response.write('{"jsonrpc":"2.0","id":0,')],
    [
      "half a compressed body and stops",
      (response: ServerResponse) => {
        response.setHeader("content-encoding", "gzip");
        response.write(gzipSync("x".repeat(100_000)).subarray(0, 60));
      },
    ],
  ] as const) {
    it(`ends a request by its deadline when an endpoint sends ${what}`, async () => {
      const silent = await serve((response) => void cut(response));
      const good = await serve(healthy(5));
      const { request, errors } = endpointsOf([silent.url, good.url], { deadline: 300 });
      expect(await request(latest)).to.deep.equal({ number: "0x5" });
      expect(errors).to.deep.equal(["0 rpc_timeout"]);
      await until("its connection is closed", async () => silent.open() === 0);
    });

    it(`ends a viem client's call by its deadline when an endpoint sends ${what}`, async () => {
      const silent = await serve((response) => void cut(response));
      const good = await serve(healthy(5));
      const client = createChainClient({ rpcUrls: [silent.url, good.url], chainId: 1, deadline: 100 });
      expect(await client.request(latest as never)).to.deep.equal({ number: "0x5" });
      await until("its connections are closed", async () => silent.open() === 0);
    });
  }

  it("reads no response without an end: a small one may unpack to any size", async () => {
    const packed = gzipSync(Buffer.alloc(1 << 24, " "));
    const endless = await serve((response) => {
      response.setHeader("content-encoding", "gzip");
      for (let times = 0; times < 40; times += 1) response.write(packed);
      response.end();
    });
    const good = await serve(healthy(5));
    const { request, errors } = endpointsOf([endless.url, good.url], { deadline: 60_000 });
    expect(await request(latest)).to.deep.equal({ number: "0x5" });
    expect(errors).to.deep.equal(["0 rpc_limit"]);
    await until("its connection is closed", async () => endless.open() === 0);
  });

  it("reads the chain at the start again after answers that are no JSON-RPC, and names them", async () => {
    const contract = "0x0000000000000000000000000000000000000001";
    const deployment = { chainId: 10, contracts: { ComputeNode: contract } } as unknown as Parameters<
      typeof requireChain
    >[1];
    for (const text of ["{}", "[]", "7"]) {
      let asked = 0;
      const odd = await serve((response, [call]) => {
        asked += 1;
        const result = call?.method === "eth_chainId" ? "0xa" : "0x01";
        response.end(asked % 2 === 1 ? text : JSON.stringify({ jsonrpc: "2.0", id: call?.id, result }));
      });
      await requireChain(createChainClient({ rpcUrls: [odd.url], chainId: 10 }), deployment);
      const lost = await serve((response) => void response.end(text));
      const refused = await requireChain(
        createChainClient({ rpcUrls: [lost.url], chainId: 10 }),
        deployment,
      ).catch((error: unknown) => error);
      expect(refused).to.be.instanceOf(FatalError);
      expect((refused as FatalError).code).to.equal("chain_unreachable");
      expect((refused as FatalError).message).to.include("no JSON-RPC");
    }
  });

  it("sends batches as large as an endpoint accepts", async () => {
    const server = await serve((response, calls, body) => {
      if (calls.length <= 3) return healthy(9)(response, calls, body);
      const error = { code: 31, message: "Batch of more than 3 requests are not allowed on free tier" };
      response.statusCode = 500;
      response.end(JSON.stringify(calls.map(({ id }) => ({ jsonrpc: "2.0", id, error }))));
    });
    const { batched, states } = endpointsOf([server.url]);
    const read = (at: number) => batched.request({ ...latest, params: [numberToHex(at), false] });
    const numbers = [1, 2, 3, 4, 5, 6, 7, 8];
    const expected = numbers.map((number) => ({ number: numberToHex(number) }));
    expect(await Promise.all(numbers.map(read))).to.deep.equal(expected);
    server.requested.splice(0);
    expect(await Promise.all(numbers.map(read))).to.deep.equal(expected);
    // What it refused once is not sent again.
    expect(server.requested).to.have.length(4);
    expect(states()[0]?.consecutiveErrors).to.equal(0);
  });

  it("uses another endpoint for a block that one does not have yet", async () => {
    const behind = await serve(healthy(3));
    const ahead = await serve(healthy(5));
    const { request } = endpointsOf([behind.url, ahead.url]);
    expect(await request({ method: "eth_getBlockByNumber", params: ["0x5", false] })).to.deep.equal({
      number: "0x5",
    });
    expect(await request({ method: "eth_getBlockByNumber", params: ["0x6", false] })).to.equal(null);
  });

  it("uses an endpoint other than the best for otherEndpoints", async () => {
    const first = await serve(healthy(5));
    const second = await serve(healthy(5));
    const { request, otherEndpoints } = endpointsOf([first.url, second.url]);
    await request(latest);
    // Slower than the first even on a busy machine, so that it stays the second best.
    second.behavior = (...call) => void setTimeout(() => healthy(5)(...call), 500);
    await otherEndpoints.request(logs);
    expect([first.requested, second.requested]).to.deep.equal([["eth_getBlockByNumber"], ["eth_getLogs"]]);
    await request(latest);
    expect(second.requested).to.have.length(1);
  });

  it("leaves an endpoint that lags, and returns to it after it recovered and the other one fails", async () => {
    const first = await serve(healthy(10));
    const second = await serve(healthy(10));
    const { request, states } = endpointsOf([first.url, second.url], { probeInterval: 20 });
    await request(latest);
    second.behavior = healthy(50);
    await until("the second one's head is known", async () => states()[1]?.head === 50n);
    expect(await request(latest)).to.deep.equal({ number: "0x32" });
    first.behavior = healthy(51);
    await until("the first one's head is known", async () => states()[0]?.head === 51n);
    second.behavior = status(500);
    expect(await request(latest)).to.deep.equal({ number: "0x33" });
  });

  it("retries a failed endpoint after its cooldown", async () => {
    const first = await serve(status(500));
    const second = await serve(healthy(5));
    const { request, states } = endpointsOf([first.url, second.url], { probeInterval: 50 });
    await request(latest);
    first.behavior = healthy(5);
    await until("the first one has recovered", async () => states()[0]?.consecutiveErrors === 0);
    expect(states()[0]).to.include({ head: 5n, cooldownUntil: 0 });
  });

  it("prefers the faster endpoint", async () => {
    const slow = await serve((...call) => void setTimeout(() => healthy(5)(...call), 120));
    const fast = await serve(healthy(5));
    const { request, states } = endpointsOf([slow.url, fast.url], { probeInterval: 20 });
    await request(latest);
    await until("both were requested", async () => states().every(({ latency }) => latency !== undefined));
    const before = slow.requested.length;
    await request(logs);
    expect(slow.requested.slice(before)).to.not.include("eth_getLogs");
    expect(fast.requested).to.include("eth_getLogs");
  });

  it("sends requests of one tick as one batch, and rejects each if batches are not accepted", async () => {
    const server = await serve(healthy(5));
    const { batched } = endpointsOf([server.url]);
    const numbers = ["0x1", "0x2", "0x9"];
    const read = (at: string) => batched.request({ method: "eth_getBlockByNumber", params: [at, false] });
    expect(await Promise.all(numbers.map(read))).to.deep.equal([{ number: "0x1" }, { number: "0x2" }, null]);
    expect(server.requested[0]).to.equal(Array(3).fill("eth_getBlockByNumber").join(","));
    server.behavior = rpcError(-32600);
    const outcomes = await Promise.allSettled(numbers.map(read));
    expect(outcomes.map(({ status: outcome }) => outcome)).to.deep.equal(Array(3).fill("rejected"));
  });
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
