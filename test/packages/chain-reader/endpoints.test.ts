import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createEndpoints, type EndpointsOptions } from "@ngpu/chain-reader/endpoints/endpoints";
import { FatalError, RetryableError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { numberToHex } from "viem";
import { until } from "../../services/autoExport/setup.ts";

type Call = { id: number; method: string; params: unknown[] };
type Conduct = (response: ServerResponse, calls: Call[], whole: unknown) => void;

const latest = { method: "eth_getBlockByNumber", params: ["latest", false] };
const logs = { method: "eth_getLogs", params: [{}] };

/** Answers as a sound endpoint with its head at a block. */
const sound =
  (head: number): Conduct =>
  (response, calls, whole) => {
    const answers = calls.map(({ id, method, params }) => ({
      jsonrpc: "2.0",
      id,
      result: result(method, params),
    }));
    response.end(JSON.stringify(Array.isArray(whole) ? answers : answers[0]));
    function result(method: string, [at]: unknown[]): unknown {
      if (method !== "eth_getBlockByNumber") return [];
      const number = at === "latest" ? head : Number(at);
      return number > head ? null : { number: numberToHex(number) };
    }
  };

const status =
  (code: number): Conduct =>
  (response) => {
    response.statusCode = code;
    response.end("no");
  };

const refuses =
  (code: number): Conduct =>
  (response, [call]) =>
    response.end(JSON.stringify({ jsonrpc: "2.0", id: call?.id, error: { code, message: "no" } }));

const cutOff: Conduct = (response) => {
  response.writeHead(200, { "content-length": 1_000 });
  response.write('{"jsonrpc":"2.0","id":0,"result":[');
  response.destroy();
};

describe("several endpoints as one", () => {
  const undos: (() => void)[] = [];
  afterEach(() => {
    for (const undo of undos.splice(0)) undo();
  });

  /** A real server whose conduct the test sets. */
  async function serve(conduct: Conduct) {
    const endpoint = { url: "", conduct, asked: [] as string[] };
    const server = createServer(async (request, response) => {
      const whole = JSON.parse(await bodyOf(request));
      const calls: Call[] = [whole].flat();
      endpoint.asked.push(calls.map(({ method }) => method).join(","));
      endpoint.conduct(response, calls, whole);
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
    const faults: string[] = [];
    const onError = (endpoint: string, code: string) =>
      void faults.push(`${urls.findIndex((url) => url.includes(endpoint))} ${code}`);
    const made = createEndpoints({ urls, onError, signal: abort.signal, ...options });
    return { ...made, faults };
  }

  for (const [kind, conduct, code] of [
    ["answers 500", status(500), "rpc_failed"],
    ["answers 429", status(429), "rpc_rate_limited"],
    ["never answers", () => undefined, "rpc_timeout"],
    ["breaks off", cutOff, "rpc_failed"],
    ["answers no JSON", ((response) => response.end("<html>")) as Conduct, "rpc_malformed"],
    ["answers nothing to the question", ((response) => response.end("{}")) as Conduct, "rpc_malformed"],
    ["lacks the method", refuses(-32601), "rpc_method_missing"],
  ] as const) {
    it(`asks another one when one ${kind}, and leaves that one alone`, async () => {
      const bad = await serve(conduct);
      const good = await serve(sound(5));
      const { request, faults, states } = endpointsOf([bad.url, good.url], { deadline: 2_000 });
      expect(await request(latest)).to.deep.equal({ number: "0x5" });
      expect(faults).to.deep.equal([`0 ${code}`]);
      const asked = bad.asked.length;
      for (let index = 0; index < 5; index++) await request(latest);
      expect(bad.asked).to.have.length(asked);
      expect(states()[0]?.consecutiveErrors).to.equal(1);
    });
  }

  it("says what fails when all of them do, by class", async () => {
    const first = await serve(status(429));
    const second = await serve(status(429));
    const { request } = endpointsOf([first.url, second.url]);
    const fault = await request(latest).catch((error: unknown) => error);
    expect(fault).to.be.instanceOf(RetryableError);
    expect((fault as RetryableError).code).to.equal("rpc_rate_limited");
    first.conduct = refuses(-32601);
    second.conduct = refuses(-32601);
    expect(await request(logs).catch((error: unknown) => error)).to.be.instanceOf(FatalError);
  });

  it("blames no endpoint, and asks no other, when a question asks too much", async () => {
    const first = await serve(refuses(-32005));
    const second = await serve(sound(5));
    const { request, states } = endpointsOf([first.url, second.url]);
    const fault = await request(logs).catch((error: unknown) => error);
    expect((fault as RetryableError).code).to.equal("rpc_limit");
    expect(states().map(({ consecutiveErrors }) => consecutiveErrors)).to.deep.equal([0, 0]);
    expect(second.asked).to.deep.equal([]);
  });

  it("asks another one for a block that one does not have yet", async () => {
    const behind = await serve(sound(3));
    const ahead = await serve(sound(5));
    const { request } = endpointsOf([behind.url, ahead.url]);
    expect(await request({ method: "eth_getBlockByNumber", params: ["0x5", false] })).to.deep.equal({
      number: "0x5",
    });
    expect(await request({ method: "eth_getBlockByNumber", params: ["0x6", false] })).to.equal(null);
  });

  it("asks another one than the best when it is told to", async () => {
    const first = await serve(sound(5));
    const second = await serve(sound(5));
    const { request, otherEndpoints } = endpointsOf([first.url, second.url]);
    await request(latest);
    // Slow beyond what a busy machine does to the first, so that it stays the second best.
    second.conduct = (...call) => void setTimeout(() => sound(5)(...call), 500);
    await otherEndpoints.request(logs);
    expect([first.asked, second.asked]).to.deep.equal([["eth_getBlockByNumber"], ["eth_getLogs"]]);
    await request(latest);
    expect(second.asked).to.have.length(1);
  });

  it("leaves one whose head stays behind, and returns to one that recovered when the other fails", async () => {
    const first = await serve(sound(10));
    const second = await serve(sound(10));
    const { request, states } = endpointsOf([first.url, second.url], { probeInterval: 20 });
    await request(latest);
    second.conduct = sound(50);
    await until("the second one's head is known", async () => states()[1]?.head === 50n);
    expect(await request(latest)).to.deep.equal({ number: "0x32" });
    first.conduct = sound(51);
    await until("the first one's head is known", async () => states()[0]?.head === 51n);
    second.conduct = status(500);
    expect(await request(latest)).to.deep.equal({ number: "0x33" });
  });

  it("tries one that failed again after its rest", async () => {
    const first = await serve(status(500));
    const second = await serve(sound(5));
    const { request, states } = endpointsOf([first.url, second.url], { probeInterval: 50 });
    await request(latest);
    first.conduct = sound(5);
    await until("the first one is well again", async () => states()[0]?.consecutiveErrors === 0);
    expect(states()[0]).to.include({ head: 5n, cooldownUntil: 0 });
  });

  it("prefers the faster one", async () => {
    const slow = await serve((...call) => void setTimeout(() => sound(5)(...call), 120));
    const fast = await serve(sound(5));
    const { request, states } = endpointsOf([slow.url, fast.url], { probeInterval: 20 });
    await request(latest);
    await until("both were asked", async () => states().every(({ latency }) => latency !== undefined));
    const before = slow.asked.length;
    await request(logs);
    expect(slow.asked.slice(before)).to.not.include("eth_getLogs");
    expect(fast.asked).to.include("eth_getLogs");
  });

  it("asks in one request what is asked in one turn, and each by itself where batches are not taken", async () => {
    const whole = await serve(sound(5));
    const { batched } = endpointsOf([whole.url]);
    const numbers = ["0x1", "0x2", "0x9"];
    const ask = (at: string) => batched.request({ method: "eth_getBlockByNumber", params: [at, false] });
    expect(await Promise.all(numbers.map(ask))).to.deep.equal([{ number: "0x1" }, { number: "0x2" }, null]);
    expect(whole.asked[0]).to.equal(Array(3).fill("eth_getBlockByNumber").join(","));
    whole.conduct = refuses(-32600);
    const faults = await Promise.allSettled(numbers.map(ask));
    expect(faults.map(({ status: outcome }) => outcome)).to.deep.equal(Array(3).fill("rejected"));
  });
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
