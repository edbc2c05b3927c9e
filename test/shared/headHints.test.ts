import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { numberToHex, pad } from "viem";
import { type WebSocket, WebSocketServer } from "ws";
import type { FollowedBlock } from "../../services/shared/chain/blocks.ts";
import { listenForHeads } from "../../services/shared/chain/endpoints/headHints.ts";
import { follow } from "../../services/shared/chain/follow.ts";
import { until } from "../services/autoExport/setup.ts";
import { createScriptedChain, type ScriptedBlock, testContracts } from "./scriptedChain.ts";

const chainId = 31_337;
const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

describe("hints of new heads", () => {
  const undos: (() => void)[] = [];
  afterEach(() => {
    for (const undo of undos.splice(0).reverse()) undo();
  });

  /** A real server that takes subscriptions and announces what the test tells it to. */
  async function serve({ id = chainId, subscribes = true } = {}) {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await once(server, "listening");
    const subscribed = new Set<WebSocket>();
    server.on("connection", (socket) => {
      socket.on("close", () => subscribed.delete(socket));
      socket.on("message", (data) => {
        const call = JSON.parse(String(data)) as { id: number; method: string };
        const answer = { jsonrpc: "2.0", id: call.id };
        if (call.method === "eth_chainId") {
          return socket.send(JSON.stringify({ ...answer, result: numberToHex(id) }));
        }
        if (!subscribes) return socket.send(JSON.stringify({ ...answer, error: { code: -32601 } }));
        subscribed.add(socket);
        return socket.send(JSON.stringify({ ...answer, result: "0x1" }));
      });
    });
    const disconnect = () => {
      for (const socket of server.clients) socket.terminate();
    };
    undos.push(() => {
      disconnect();
      server.close();
    });
    return {
      url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
      subscribed,
      disconnect,
      announce: (block: ScriptedBlock) => {
        const result = {
          number: numberToHex(block.number),
          hash: block.hash,
          parentHash: block.parentHash,
          timestamp: numberToHex(block.timestamp),
          logsBloom: pad("0x", { size: 256 }),
        };
        const method = "eth_subscription";
        const message = JSON.stringify({ jsonrpc: "2.0", method, params: { subscription: "0x1", result } });
        for (const socket of subscribed) socket.send(message);
      },
    };
  }

  function listen(urls: string[]) {
    const abort = new AbortController();
    undos.push(() => abort.abort());
    const { signal } = abort;
    return { signal, ...listenForHeads({ urls, chainId, logger: silent, signal, retry: 20 }) };
  }

  it("tell of each head once, however many endpoints announce it", async () => {
    const servers = [await serve(), await serve()];
    const { signal, take, wait, live } = listen(servers.map(({ url }) => url));
    await until(
      "both are subscribed to",
      async () => live() && servers.every((s) => s.subscribed.size === 1),
    );
    const chain = createScriptedChain();
    const told: bigint[] = [];
    chain.mine([], []);
    for (const block of chain.blocks()) {
      for (const { announce } of servers) announce(block);
      await until("it is told of", async () => {
        await wait(5, signal);
        told.push(...take().map(({ number }) => number));
        return told.at(-1) === block.number;
      });
    }
    expect(told).to.deep.equal([0n, 1n, 2n]);
  });

  it("go on when the connection was broken", async () => {
    const server = await serve();
    const { signal, take, wait, live } = listen([server.url]);
    await until("it is subscribed to", async () => live());
    server.disconnect();
    await until("the subscription is gone", async () => !live());
    await until("it is there again", async () => live());
    server.announce(createScriptedChain().head());
    await wait(10_000, signal);
    expect(take()).to.have.length(1);
  });

  it("are none of an endpoint of another chain, nor of one without subscriptions", async () => {
    const [other, mute] = [await serve({ id: 1 }), await serve({ subscribes: false })];
    const sound = await serve();
    const { take, live } = listen([other.url, mute.url]);
    await until("the other chain's endpoint was left", async () => other.subscribed.size > 0 && !live());
    for (const { announce } of [other, mute, sound]) announce(createScriptedChain().head());
    expect(take()).to.deep.equal([]);
    expect(live()).to.equal(false);
  });

  it("bring the next block without a look at the head; one that does not fit makes follow look itself", async () => {
    const server = await serve();
    const hints = listen([server.url]);
    await until("it is subscribed to", async () => hints.live());
    const chain = createScriptedChain();
    chain.mine([]);
    let looks = 0;
    const client = {
      hints,
      request: (call: { method: string; params?: unknown }) => {
        if ((call.params as unknown[])[0] === "latest") looks += 1;
        return chain.client.request(call as never);
      },
    };
    const stored: FollowedBlock[] = [];
    const abort = new AbortController();
    undos.push(() => abort.abort());
    const steps = follow({
      client: client as never,
      addresses: [testContracts.ComputeNode],
      from: 1n,
      cursor: { recent: async () => [] },
      signal: abort.signal,
      logger: silent,
      // Nothing but a hint can bring the next step.
      interval: 1_000_000,
      hintedInterval: 1_000_000,
    });
    const store = async () => {
      const { value: step } = await steps.next();
      if (step?.type === "blocks") stored.push(...step.blocks);
      return step?.type;
    };
    await store();
    expect([stored.length, looks]).to.deep.equal([1, 1]);
    let next = store();
    chain.mine([], []);
    for (const block of chain.blocks().slice(-2)) server.announce(block);
    await next;
    if (stored.length < 3) await store();
    expect(looks).to.equal(1);
    expect(stored.map(({ hash }) => hash)).to.deep.equal(
      chain
        .blocks()
        .slice(1)
        .map(({ hash }) => hash),
    );
    const before = looks;
    next = store();
    chain.rewind(1);
    chain.mine([], []);
    server.announce(chain.head());
    expect(await next).to.equal("reorg");
    expect(looks).to.equal(before + 1);
  });
});
