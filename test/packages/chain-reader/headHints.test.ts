import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { blocksByHash, type FollowedBlock } from "@ngpu/chain-reader/blocks";
import { type FollowOptions, follow } from "@ngpu/chain-reader/followChain";
import type { Header } from "@ngpu/chain-reader/header";
import { expect } from "chai";
import { numberToHex, pad } from "viem";
import { type WebSocket, WebSocketServer } from "ws";
import { listenForHeads } from "../../../packages/chain-reader/endpoints/headHints.ts";
import { silent, until } from "../../services/autoExport/setup.ts";
import { createScriptedChain, eventLog, type ScriptedBlock, testContracts } from "./scriptedChain.ts";

const chainId = 31_337;
const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? numberToHex(value) : value);

describe("hints of new heads", () => {
  const undos: (() => void)[] = [];
  afterEach(() => {
    for (const undo of undos.splice(0).reverse()) undo();
  });

  /** Follows a chain from its first block, until the test has ended. */
  function followed(client: FollowOptions["client"], interval: number, abort = new AbortController()) {
    undos.push(() => abort.abort());
    return follow({
      client,
      addresses: [testContracts.ComputeNode],
      from: 1n,
      cursor: { recent: async () => [] },
      signal: abort.signal,
      logger: silent,
      interval,
      hintedInterval: 1_000_000,
    });
  }

  /** A real WebSocket server with subscriptions; the test calls `announce`. */
  async function serve({
    id = chainId,
    subscribes = true as boolean | "silent",
    answersChain = true,
    pings = true,
    answer: answerOf = async (_: unknown): Promise<object | undefined> => ({ error: { code: -32601 } }),
  } = {}) {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, autoPong: pings });
    await once(server, "listening");
    let accepted = 0;
    const subscribed = new Set<WebSocket>();
    server.on("connection", (socket) => {
      accepted += 1;
      socket.on("close", () => subscribed.delete(socket));
      socket.on("message", (data) => {
        const call = JSON.parse(String(data)) as { id: number; method: string };
        const send = (result: object | undefined) =>
          result === undefined ? undefined : socket.send(JSON.stringify({ ...answer, ...result }, bigints));
        const answer = { jsonrpc: "2.0", id: call.id };
        if (call.method === "eth_chainId") {
          if (!answersChain) return;
          return socket.send(JSON.stringify({ ...answer, result: numberToHex(id) }));
        }
        if (call.method !== "eth_subscribe") return void answerOf(call).then(send);
        if (subscribes === "silent") return;
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
      accepted: () => accepted,
      open: () => server.clients.size,
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

  function listen(urls: string[], idleTimeout?: number) {
    const abort = new AbortController();
    undos.push(() => abort.abort());
    const { signal } = abort;
    return {
      signal,
      ...listenForHeads({
        urls,
        chainId,
        logger: silent,
        signal,
        retry: 20,
        ...(idleTimeout && { idleTimeout }),
      }),
    };
  }

  it("contain each head once, however many endpoints announce it", async () => {
    const servers = [await serve(), await serve()];
    const { signal, take, wait, live } = listen(servers.map(({ url }) => url));
    await until(
      "both are subscribed to",
      async () => live() && servers.every((s) => s.subscribed.size === 1),
    );
    const chain = createScriptedChain();
    const received: bigint[] = [];
    chain.mine([], []);
    for (const block of chain.blocks()) {
      for (const { announce } of servers) announce(block);
      await until("it is received", async () => {
        await wait(5, signal);
        received.push(...take().map(({ number }) => number));
        return received.at(-1) === block.number;
      });
    }
    expect(received).to.deep.equal([0n, 1n, 2n]);
  });

  it("continue after a broken connection", async () => {
    const server = await serve();
    const { signal, take, wait, live } = listen([server.url]);
    await until("it is subscribed to", async () => live());
    server.disconnect();
    await until("the subscription has ended", async () => !live());
    await until("it is live again", async () => live());
    server.announce(createScriptedChain().head());
    await wait(10_000, signal);
    expect(take()).to.have.length(1);
  });

  it("ignore an endpoint of another chain and one without subscriptions", async () => {
    const other = await serve({ id: 1 });
    const mute = await serve({ subscribes: false });
    const unlisted = await serve();
    const { take, live } = listen([other.url, mute.url]);
    await until("the other chain's endpoint was left", async () => other.subscribed.size > 0 && !live());
    for (const { announce } of [other, mute, unlisted]) announce(createScriptedChain().head());
    expect(take()).to.deep.equal([]);
    expect(live()).to.equal(false);
  });

  for (const [what, options] of [
    ["never confirms the subscription, and answers pings", { subscribes: "silent" }],
    ["never answers at all", { subscribes: "silent", answersChain: false, pings: false }],
    ["confirms the subscription, and answers no ping", { pings: false }],
  ] as const) {
    it(`open the connection again when an endpoint ${what}, and come from another one meanwhile`, async () => {
      const silentServer = await serve(options);
      const server = await serve();
      const { signal, take, wait } = listen([silentServer.url, server.url], 60);
      await until("the other one is subscribed to", async () => server.subscribed.size > 0);
      await until("the silent one is asked again", async () => silentServer.accepted() > 1);
      let taken: unknown[] = [];
      // On a busy machine the other one may be too late for these short deadlines, too, and be asked again.
      await until("a head of the other one", async () => {
        server.announce(createScriptedChain().head());
        await wait(1_000, signal);
        taken = [...take()];
        return taken.length > 0;
      });
      expect(taken).to.have.length(1);
    });
  }

  it("open the connection again when an endpoint accepts it and never upgrades it", async () => {
    let accepted = 0;
    const sockets = new Set<Socket>();
    const mute = createServer((socket) => {
      accepted += 1;
      sockets.add(socket.on("close", () => sockets.delete(socket)));
      socket.on("error", () => undefined).resume();
    });
    mute.listen(0, "127.0.0.1");
    await once(mute, "listening");
    undos.push(() => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    const { live } = listen([`ws://127.0.0.1:${(mute.address() as AddressInfo).port}`], 60);
    await until("it is asked again", async () => accepted > 2);
    await until("the connections before are closed", async () => sockets.size <= 1);
    expect(live()).to.equal(false);
  });

  it("yield the next block without a poll; one that does not extend the chain makes follow poll", async () => {
    const { server, hints } = await subscribed();
    const chain = createScriptedChain();
    chain.mine([]);
    let polls = 0;
    const client = {
      hints,
      request: (call: { method: string; params?: unknown }) => {
        if ((call.params as unknown[])[0] === "latest") polls += 1;
        return chain.client.request(call as never);
      },
    };
    const stored: FollowedBlock[] = [];
    // Only a hint can yield the next step.
    const steps = followed(client as never, 1_000_000);
    const store = async () => {
      const { value: step } = await steps.next();
      if (step?.type === "blocks") stored.push(...step.blocks);
      return step?.type;
    };
    await store();
    expect([stored.length, polls]).to.deep.equal([1, 1]);
    let next = store();
    chain.mine([], []);
    for (const block of chain.blocks().slice(-2)) server.announce(block);
    await next;
    if (stored.length < 3) await store();
    expect(polls).to.equal(1);
    expect(stored.map(({ hash }) => hash)).to.deep.equal(
      chain
        .blocks()
        .slice(1)
        .map(({ hash }) => hash),
    );
    const before = polls;
    next = store();
    chain.rewind(1);
    chain.mine([], []);
    server.announce(chain.head());
    expect(await next).to.equal("reorg");
    expect(polls).to.equal(before + 1);
  });

  /** A server whose subscription the listener has taken. */
  async function subscribed(options: Parameters<typeof serve>[0] = {}) {
    const server = await serve(options);
    const hints = listen([server.url]);
    await until("it is subscribed to", async () => hints.live());
    return { server, hints };
  }

  /** Follows a chain whose heads a server announces, and counts the log requests to the other client. */
  async function followAnnounced(
    answer: (
      call: { method: string },
      chain: ReturnType<typeof createScriptedChain>,
    ) => Promise<object | undefined>,
    mined = 1,
  ) {
    const chain = createScriptedChain();
    const { server, hints } = await subscribed({
      answer: (call) => answer(call as { method: string }, chain),
    });
    chain.mine([]);
    let requested = 0;
    const request = (call: { method: string }) => {
      if (call.method === "eth_getLogs") requested += 1;
      return chain.client.request(call as never);
    };
    const steps = followed({ hints, request } as never, 20);
    await steps.next();
    requested = 0;
    const stored: FollowedBlock[] = [];
    for (let block = 0; block < mined; block += 1) {
      const next = steps.next();
      chain.mine([status(block)]);
      server.announce(chain.head());
      const { value: step } = await next;
      if (step?.type === "blocks") stored.push(...step.blocks);
    }
    return { chain, stored, requested: () => requested };
  }
  const status = (nodeId: number) =>
    eventLog("ComputeNode", "NodeStatusChanged", { nodeId: BigInt(nodeId + 1), status: 1 });

  it("read the block's logs from the announcer", async () => {
    let chain: ReturnType<typeof createScriptedChain> | undefined;
    const answer = async (call: never) => ({ result: await chain?.client.request(call) });
    const { server, hints } = await subscribed({ answer: answer as never });
    chain = createScriptedChain();
    chain.mine([status(1)]);
    server.announce(chain.head());
    await hints.wait(10_000, new AbortController().signal);
    const [head] = hints.take();
    const { hash } = chain.head();
    expect(head?.hash).to.equal(hash);
    const [block] = await blocksByHash(
      {
        client: { hints, request: () => Promise.reject(new Error("It was requested over HTTP.")) } as never,
        addresses: [testContracts.ComputeNode],
      },
      1n,
      head as Header,
    );
    expect(block?.logs.map(({ topics }) => topics)).to.deep.equal(
      chain.head().logs.map(({ topics }) => topics),
    );
    // The announcer is returned once for each block.
    expect(hints.announcerOf(hash)).to.equal(undefined);
  });

  it("send early requests to the announcer of a block until they are removed", async () => {
    const received: unknown[] = [];
    const server = await serve({
      answer: async (call) => {
        received.push((call as { params: unknown }).params);
        return { result: "a result" };
      },
    });
    const hints = listen([server.url]);
    await until("it is subscribed to", async () => hints.live());
    const chain = createScriptedChain();
    const requestOf = (hash: unknown) => ({ method: "eth_getLogs", params: [hash] });
    const stop = hints.requestEarly(({ number, hash }) => (number === 1n ? requestOf(hash) : undefined));
    chain.mine([], [], []);
    const [, first, second, third] = chain.blocks() as [never, ScriptedBlock, ScriptedBlock, ScriptedBlock];
    server.announce(first);
    await until("it was requested", async () => received.length === 1);
    const announcer = hints.announcerOf(first.hash);
    expect(await announcer?.request(requestOf(first.hash))).to.equal("a result");
    expect(received).to.deep.equal([[first.hash]]);
    await announcer?.request(requestOf("other"));
    expect(received).to.deep.equal([[first.hash], ["other"]]);
    server.announce(second);
    stop();
    server.announce(third);
    await until("all are announced", async () => hints.announcerOf(third.hash) !== undefined);
    expect(received).to.have.length(2);
  });

  it("request a block's logs once, as soon as the block is announced", async () => {
    const requested: string[] = [];
    const { stored, chain } = await followAnnounced(async (call, { client }) => {
      requested.push(call.method);
      return { result: await client.request(call as never) };
    }, 3);
    expect(stored.map(({ logs }) => logs.length)).to.deep.equal([1, 1, 1]);
    expect(stored.at(-1)?.hash).to.equal(chain.head().hash);
    expect(requested).to.deep.equal(["eth_getLogs", "eth_getLogs", "eth_getLogs"]);
  });

  it("make follow request logs early only for a block that extends its newest one, and only while it runs", async () => {
    const chain = createScriptedChain();
    chain.mine([], []);
    const registered = new Set<(header: Header) => unknown>();
    const hints = {
      ...listen([]),
      requestEarly: (requestFor: (header: Header) => unknown) => {
        registered.add(requestFor);
        return () => registered.delete(requestFor);
      },
    };
    const abort = new AbortController();
    const steps = followed({ hints, request: chain.client.request } as never, 20, abort);
    await steps.next();
    const next = steps.next();
    const [requestFor] = [...registered];
    const { number, hash } = chain.head();
    const header = (parentHash: string) => ({ number: number + 1n, hash: pad("0x9"), parentHash }) as Header;
    await until("the step is stored", async () => requestFor?.(header(hash)) !== undefined);
    expect(requestFor?.(header(hash))).to.deep.equal({
      method: "eth_getLogs",
      params: [{ address: [testContracts.ComputeNode], topics: [], blockHash: pad("0x9") }],
    });
    expect(requestFor?.(header(pad("0x8")))).to.equal(undefined);
    abort.abort();
    await next;
    expect(registered.size).to.equal(0);
  });

  for (const { what, answer } of [
    {
      what: "returns an error",
      answer: async () => ({ error: { code: -32601, message: "no such method" } }),
    },
    { what: "returns something else", answer: async () => ({ result: "0x1" }) },
    {
      what: "returns another block's logs",
      answer: async () => ({
        result: [
          {
            ...status(1),
            blockNumber: "0x2",
            blockHash: pad("0x7"),
            transactionHash: pad("0x8"),
            logIndex: "0x0",
          },
        ],
      }),
    },
  ]) {
    it(`read logs from the endpoint in use when the announcer ${what}`, async () => {
      const { chain, stored, requested } = await followAnnounced(answer, 3);
      expect(requested()).to.equal(3);
      expect(stored.map(({ hash }) => hash)).to.deep.equal(
        chain
          .blocks()
          .slice(2)
          .map(({ hash }) => hash),
      );
      expect(stored.map(({ logs }) => logs.length)).to.deep.equal([1, 1, 1]);
    });
  }

  it("read logs from the endpoint in use when the connection breaks before the response", async () => {
    let disconnect = () => {};
    const answer = async () => {
      disconnect();
      return undefined;
    };
    const server = await serve({ answer });
    disconnect = server.disconnect;
    const hints = listen([server.url]);
    await until("it is subscribed to", async () => hints.live());
    const chain = createScriptedChain();
    chain.mine([status(1)]);
    server.announce(chain.head());
    await hints.wait(10_000, new AbortController().signal);
    const [head] = hints.take();
    const source = { client: { ...chain.client, hints } as never, addresses: [testContracts.ComputeNode] };
    const [block] = await blocksByHash(source, 1n, head as Header);
    expect(block?.logs).to.have.length(1);
  });

  it("return no announcer after an endpoint was found to omit logs", async () => {
    const { server, hints } = await subscribed();
    const { hash } = createScriptedChain().head();
    server.announce(createScriptedChain().head());
    await hints.wait(10_000, new AbortController().signal);
    hints.suspect();
    expect(hints.announcerOf(hash)).to.equal(undefined);
  });
});
