import { join } from "node:path";
import { createFollowClient } from "@ngpu/chain-reader/client";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { randomFrom } from "../../packages/chain-reader/scriptedChain.ts";
import { type AnvilMarket, startAnvilMarket } from "../../support/anvilMarket.ts";
import {
  blocksLimit,
  bytesLimit,
  endsAt,
  logsLimit,
  prunedBelow,
  type RpcLimit,
  rateLimit,
  startLimitedRpc,
} from "../../support/limitedRpc.ts";
import { testStateDir } from "../../support/parts.ts";
import { dump, emptyChain, setup, silent, startExporter, tipOf, until } from "./setup.ts";

const noReceipts: RpcLimit = {
  refuse: ({ method }) =>
    method === "eth_getBlockReceipts"
      ? { code: -32_601, message: "the method eth_getBlockReceipts does not exist/is not available" }
      : undefined,
};

/** Limits with the words of the provider that has them, scaled to the test's chain where they are larger. */
const served: Record<string, RpcLimit> = {
  "10 blocks of logs (Alchemy)": {
    ...blocksLimit(
      10,
      -32_600,
      "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. Based on your parameters, this block range should work: [0x1, 0xa]. Upgrade to PAYG for expanded block range.",
    ),
    status: 400,
  },
  "7 blocks of logs (QuickNode)": blocksLimit(7, -32_614, "eth_getLogs is limited to a 7 range"),
  "5 blocks of logs (Ankr)": blocksLimit(5, -32_600, "block range is too wide"),
  "3 blocks of logs (Cloudflare)": blocksLimit(
    3,
    -32_047,
    "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: 3",
  ),
  "1 block of logs (dRPC)": {
    ...blocksLimit(1, 35, "ranges over 1 blocks are not supported on freetier"),
    status: 400,
  },
  "10 logs (Infura)": logsLimit(10, -32_005, "query returned more than 10 results"),
  "10 logs, without receipts": {
    ...logsLimit(10, -32_005, "query returned more than 10 results"),
    ...noReceipts,
  },
  "8 kB (Alchemy)": bytesLimit(
    8_000,
    -32_602,
    "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on the response size, or you can request any block range with a cap of 10K logs in the response.",
  ),
  "8 kB (Helios)": bytesLimit(8_000, -32_003, "Response is too big"),
  "the time of a query (Alchemy)": bytesLimit(
    8_000,
    -32_000,
    "Query timeout exceeded. Consider reducing your block range.",
  ),
  "no batches": {
    refuseAll: (_calls, isBatch) =>
      isBatch
        ? {
            status: 400,
            body: '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}}',
          }
        : undefined,
  },
  "3 requests in a batch (dRPC)": {
    refuseAll: (calls) =>
      calls.length <= 3
        ? undefined
        : {
            status: 500,
            body: JSON.stringify(
              calls.map(({ id }) => ({
                jsonrpc: "2.0",
                id,
                error: { code: 31, message: "Batch of more than 3 requests are not allowed on free tier" },
              })),
            ),
          },
  },
  "100 requests, then none for half a second, with Retry-After": rateLimit(100, 500, { "retry-after": "1" }),
  "100 requests, then none for half a second, without Retry-After": rateLimit(100, 500, {}),
};

const prunings = {
  "geth's words": { code: 4_444, message: "pruned history unavailable" },
  "words about states": { code: -32_000, message: "missing trie node 8b1604e0d19d9be9 (path )" },
  "a provider's words": { code: -32_000, message: "history has been pruned for this block" },
  "the words for an unknown block": { code: -32_000, message: "header not found" },
};

/** What providers say of old blocks to callers whose plan has no archive. */
const withoutArchive = {
  Infura: {
    status: 403,
    error: { code: -32_002, message: "project ID does not have access to archive state" },
  },
  PublicNode: {
    status: 403,
    error: {
      code: -32_602,
      message:
        "Archive requests require a personal token - Get one at https://www.allnodes.com/publicnode or reduce the block range",
    },
  },
  dRPC: { status: 400, error: { code: 35, message: "archive requests are not available on free tier" } },
};

describe("autoExport behind an endpoint with a limit", function () {
  this.timeout(300_000);
  let node: AnvilMarket;
  let built: Awaited<ReturnType<typeof setup>>;
  let expected: Awaited<ReturnType<typeof dump>>;

  before(async () => {
    node = await startAnvilMarket({
      stateDir: join(await testStateDir(), "anvil-limits"),
      random: randomFrom(17),
    });
    await node.mine(80, 6);
    built = await setup();
    expected = await rowsThrough([{}], built);
    expect(Object.values(expected).flat().length).to.be.greaterThan(500);
  });
  after(async () => {
    await built.drop();
    await node.stop();
  });

  /** What an instance that starts without a schema exports through endpoints with these limits. */
  async function firstRowsThrough(limits: RpcLimit[]) {
    const market = await setup();
    return rowsThrough(limits, market).finally(market.drop);
  }

  /** The same of an instance that starts on a schema without blocks, as after a kill that followed its build. */
  async function laterRowsThrough(limits: RpcLimit[]) {
    await emptyChain(built.db);
    return rowsThrough(limits, built);
  }

  async function rowsThrough(limits: RpcLimit[], market: Awaited<ReturnType<typeof setup>>) {
    const endpoints = await Promise.all(limits.map((limit) => startLimitedRpc(node.url, limit)));
    const stopping = new AbortController();
    const client = createFollowClient({
      rpcUrls: endpoints.map(({ url }) => url),
      chainId: 31_337,
      logger: silent,
      signal: stopping.signal,
    });
    const exporter = startExporter(market.database, client);
    const failed = exporter.ended.then((error) => {
      throw error;
    });
    try {
      const { hash } = await node.head();
      const stored = until(
        "the head is stored",
        async () => (await tipOf(market.db))?.hash === hash,
        120_000,
      );
      await Promise.race([stored, failed]);
      // A single endpoint's limit was met. Of several, their speed decides which one is asked.
      const [only, ...others] = endpoints;
      const isLimited = Object.keys(limits[0] ?? {}).length > 0;
      if (only !== undefined && others.length === 0 && isLimited) {
        expect(only.refusals()).to.be.greaterThan(0);
      }
      return await dump(market.db);
    } finally {
      failed.catch(() => undefined);
      stopping.abort();
      await exporter.stop();
      for (const endpoint of endpoints) await endpoint.stop();
    }
  }

  for (const [what, limit] of Object.entries(served)) {
    it(`stores the same rows: ${what}`, async () => {
      expect(await laterRowsThrough([limit])).to.deep.equal(expected);
    });
  }

  it("stores the same rows from two endpoints with different limits", async () => {
    const [first, second] = [served["no batches"], served["10 logs (Infura)"]] as [RpcLimit, RpcLimit];
    expect(await laterRowsThrough([first, second])).to.deep.equal(expected);
  });

  for (const [what, { status, error }] of Object.entries(withoutArchive)) {
    const limit = { ...prunedBelow(50, error), status };
    it(`is refused at its start, with the reason, when only an archive has the history (${what})`, async () => {
      const failure = await firstRowsThrough([limit]).catch((thrown: unknown) => thrown);
      expect(failure).to.be.instanceOf(FatalError).with.property("code", "rpc_history_missing");
    });

    it(`stores the same rows when an archive that has stopped is beside it (${what})`, async () => {
      expect(await firstRowsThrough([limit, endsAt(70)])).to.deep.equal(expected);
    });
  }

  for (const [what, error] of Object.entries(prunings)) {
    it(`is refused at its start, with the reason, when the history is pruned (${what})`, async () => {
      const failure = await firstRowsThrough([prunedBelow(50, error)]).catch((thrown: unknown) => thrown);
      expect(failure).to.be.instanceOf(FatalError).with.property("code", "rpc_history_missing");
    });

    it(`stores the same rows when another endpoint has the history (${what})`, async () => {
      expect(await firstRowsThrough([prunedBelow(50, error), {}])).to.deep.equal(expected);
    });
  }
});
