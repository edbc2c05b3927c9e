import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createFollowClient } from "@ngpu/chain-reader/client";
import { requireHead } from "@ngpu/chain-reader/requireHead";
import { FatalError } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { numberToHex, pad } from "viem";

type Answer = { result?: unknown; error?: { code: number; message: string } };
/** What an endpoint answers to a request for the newest block; it is asked for the `count`th time. */
type Latest = (count: number) => Answer;

const hash = pad("0xab", { size: 32 });
const block = (number: number, ageSeconds: number): Answer => ({
  result: {
    number: numberToHex(number),
    hash,
    parentHash: hash,
    timestamp: numberToHex(Math.floor(Date.now() / 1_000) - ageSeconds),
    logsBloom: pad("0x", { size: 256 }),
  },
});
const week = 7 * 24 * 3_600;
const options = { within: 300, pause: 20 };

describe("the head at the start", () => {
  const servers: Server[] = [];
  const stopping = new AbortController();
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });
  after(() => stopping.abort());

  /** An HTTP endpoint that has every old block, and answers like this for the newest. */
  async function serve(latest: Latest): Promise<string> {
    let count = 0;
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const call = JSON.parse(Buffer.concat(chunks).toString()) as { id: number; params: [string] };
      const answer = call.params[0] === "latest" ? latest(++count) : block(Number(call.params[0]), week);
      response.end(JSON.stringify({ jsonrpc: "2.0", id: call.id, ...answer }));
    });
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async function headOf(...endpoints: Latest[]) {
    const client = createFollowClient({
      rpcUrls: await Promise.all(endpoints.map(serve)),
      wsUrls: [],
      chainId: 1,
      logger: createLogger("test", "silent"),
      signal: stopping.signal,
    });
    return requireHead(client, options);
  }
  const refusalOf = async (...endpoints: Latest[]) => {
    const error = await headOf(...endpoints).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(FatalError);
    return error as FatalError;
  };

  it("is that of an endpoint that follows the chain", async () => {
    expect((await headOf(() => block(9, 2))).number).to.equal(9n);
  });

  it("is that of an endpoint that catches up", async () => {
    expect((await headOf((count) => block(8 + count, week))).number).to.equal(10n);
  });

  it("is accepted when the chain's clock is ahead of this machine's", async () => {
    expect((await headOf(() => block(9, -week))).number).to.equal(9n);
  });

  it("refuses an archive whose head does not advance, with its number and age", async () => {
    const error = await refusalOf(() => block(9, week));
    expect(error).to.include({ code: "rpc_head_stale" });
    expect(error.message).to.include("9, is 10080 minutes old");
    expect(error.details).to.deep.include({ number: 9n });
  });

  for (const [what, answer] of Object.entries<Answer>({
    "has no newest block": { result: null },
    "serves finalized blocks alone": {
      error: { code: -32_000, message: "only finalized blocks are served" },
    },
    "takes no tag": { error: { code: -32_602, message: "invalid argument 0: hex string without 0x prefix" } },
    "is an archive in its own words": {
      error: { code: -32_000, message: "archive node: header for latest not available" },
    },
  })) {
    it(`refuses an endpoint that ${what}, with the reason`, async () => {
      const error = await refusalOf(() => answer);
      expect(error).to.include({ code: "rpc_head_missing" });
      if (answer.error !== undefined) expect(error.message).to.include(answer.error.message);
    });

    it(`uses another endpoint beside one that ${what}`, async () => {
      const head = await headOf(
        () => answer,
        () => block(9, 2),
      );
      expect(head.number).to.equal(9n);
    });
  }
});
