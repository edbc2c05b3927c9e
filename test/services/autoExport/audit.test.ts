import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { createChainClient, createFollowClient } from "@ngpu/chain-reader/client";
import { readProvenLogs } from "@ngpu/chain-reader/provenLogs";
import type { RpcClient } from "@ngpu/chain-reader/rpc";
import { abis } from "@ngpu/contracts-sdk/abis";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import type { Hex } from "viem";
import { type RawReceipt, receiptsRootOf } from "../../../packages/chain-reader/receiptsRoot.ts";
import type { ExportParts } from "../../../services/autoExport/leading.ts";
import { randomFrom } from "../../packages/chain-reader/scriptedChain.ts";
import { type AnvilMarket, startAnvilMarket } from "../../support/anvilMarket.ts";
import { testStateDir } from "../../support/parts.ts";
import { startRpcProxy } from "../../support/rpcProxy.ts";
import { dump, type Exporter, setup, silent, startExporter, tipOf, until } from "./setup.ts";

const chainId = 31_337;
const selectorOf = (event: string) => {
  const table = loadDefinitions().tables.find((one) => one.event === event);
  if (table === undefined) throw new Error(`No contract declares ${event}.`);
  return table.selector;
};
const heads = { safe: 2, finalized: 4 };

describe("the audit of rows", function () {
  this.timeout(120_000);
  let node: AnvilMarket;
  const random = randomFrom(11);
  const undos: (() => Promise<unknown>)[] = [];

  before(async () => {
    node = await startAnvilMarket({ stateDir: join(await testStateDir(), "anvil-audit"), random });
    undos.push(node.stop);
    await node.mine(60, 6);
    // So that all blocks with logs become safe.
    await node.mine(5, 0);
  });
  after(async () => {
    for (const undo of undos.reverse()) await undo();
  });

  async function startMarket(client: ExportParts["client"], options: Partial<ExportParts>) {
    const market = await setup();
    const exporter: Exporter = startExporter(market.database, client, options);
    undos.push(market.drop, exporter.stop);
    const { hash } = await node.head();
    const stored = () =>
      until("the head is stored", async () => (await tipOf(market.db))?.hash === hash, 60_000);
    await stored();
    return { db: market.db, exporter, stored };
  }

  it("finds a log that the endpoint omitted among several, and reads the block again", async () => {
    const endpoint = await startRpcProxy({ target: node.url, random, heads });
    undos.push(endpoint.stop);
    endpoint.misbehave({ missingOne: 0.5 });
    const errors: string[] = [];
    const ending = new AbortController();
    undos.push(async () => ending.abort());
    const client = createFollowClient({
      rpcUrls: [endpoint.url],
      chainId,
      logger: silent,
      signal: ending.signal,
      onError: (_endpoint, code) => errors.push(code),
    });
    // Without projections: a row whose first event is omitted cannot be stored, so there would be nothing to audit.
    const folder = mkdtempSync(join(tmpdir(), "projections-"));
    undos.push(async () => rmSync(folder, { recursive: true }));
    const definitions = loadDefinitions(abis, folder);
    const unaudited = await startMarket(client, { definitions });
    const wanted = await startMarket(createChainClient({ rpcUrls: [node.url], chainId }), { definitions });
    const rows = await dump(wanted.db, definitions);
    expect(await dump(unaudited.db, definitions), "omissions that the bloom hides").to.not.deep.equal(rows);

    const missing: number[] = [];
    const warn = ({ event, blocks }: { event: string; blocks?: bigint[] }) => {
      if (event === "logs_missing") missing.push(blocks?.length ?? 0);
    };
    const audited = await startMarket(client, {
      definitions,
      // One block in each round, with new requests after each: the endpoint omits a log from half of its responses.
      audit: { blocks: 1, interval: 5 },
      logger: { ...silent, warn },
    });
    await until(
      "all is audited",
      async () => {
        const { rows: found } = await audited.db.query(
          "select from audit join head on tier = 'safe' where audit.number = head.number and head.number = $1",
          [(await node.head()).number - BigInt(heads.safe)],
        );
        return found.length === 1;
      },
      60_000,
    );
    expect(missing.length).to.be.greaterThan(0);
    expect(await dump(audited.db, definitions)).to.deep.equal(rows);
    expect(errors).to.include("rpc_logs_missing");
  });

  /** An endpoint that omits the first events of rows, wherever the bloom does not show it. */
  function withoutFirstEvents() {
    const client = createChainClient({ rpcUrls: [node.url], chainId });
    const firstEvents = new Set(["NodeRegistered", "Assigned", "WorkspacePublished"].map(selectorOf));
    let omitted = 0;
    const request = async (call: { method: string }) => {
      const answer = await client.request(call as never);
      if (call.method !== "eth_getLogs") return answer;
      const logs = answer as { address: string; blockHash: string; topics: string[] }[];
      // The bloom shows the omission of a contract's only log in a block.
      const rest = logs.filter(
        (log) =>
          !firstEvents.has(log.topics[0] as Hex) ||
          !logs.some(
            ({ address, blockHash, topics }) =>
              address === log.address && blockHash === log.blockHash && !firstEvents.has(topics[0] as Hex),
          ),
      );
      omitted += logs.length - rest.length;
      return rest;
    };
    return { request, omitted: () => omitted };
  }

  it("finds an omitted log when a row depends on it, before its block is safe", async () => {
    const wanted = await startMarket(createChainClient({ rpcUrls: [node.url], chainId }), {});
    const { request, omitted } = withoutFirstEvents();
    const found: string[] = [];
    const warn = ({ event }: { event: string }) => found.push(event);
    // At first no block is safe, so nothing is audited; later every block is.
    let isSafe = false;
    const shaped = async (call: { method: string; params: [string, boolean] }) =>
      call.method === "eth_getBlockByNumber" && call.params[0] === "safe"
        ? request({ ...call, params: [isSafe ? "latest" : "0x0", false] } as never)
        : request(call);
    const repaired = await startMarket({ request: shaped } as never, {
      logger: { ...silent, warn },
      audit: { blocks: 50, interval: 5 },
    });
    expect(omitted()).to.be.greaterThan(0);
    expect(found).to.include("logs_missing");
    isSafe = true;
    const rows = await dump(wanted.db);
    const same = async () => JSON.stringify(await dump(repaired.db)) === JSON.stringify(rows);
    await until("the rest is audited", same, 60_000);
  });

  it("fails with a hint when a row's first event is omitted and no endpoint serves receipts", async () => {
    const { request } = withoutFirstEvents();
    const unproven = (call: { method: string }) =>
      request(call.method === "eth_getBlockReceipts" ? { method: "eth_noSuchMethod" } : call);
    const market = await setup();
    const exporter = startExporter(market.database, { request: unproven } as never, {
      audit: { blocks: 50, interval: 5 },
    });
    undos.push(market.drop, exporter.stop);
    const error = (await exporter.ended) as FatalError;
    expect(error).to.be.instanceOf(FatalError).and.have.property("code", "logs_unrecoverable");
    expect(error.hint).to.contain("eth_getBlockReceipts");
  });

  it("computes the receipts root of the node's headers, for any number of receipts", async () => {
    const counts = new Set<number>();
    for (let number = (await node.head()).number; number > 0n; number--) {
      const at = `0x${number.toString(16)}`;
      const { receiptsRoot } = await node.rpc<{ receiptsRoot: string }>("eth_getBlockByNumber", [at, false]);
      const receipts = await node.rpc<RawReceipt[]>("eth_getBlockReceipts", [at]);
      expect(receiptsRootOf(receipts), `of block ${number}`).to.equal(receiptsRoot);
      counts.add(receipts.length);
    }
    expect(counts.size).to.be.greaterThan(4);
  });

  it("rejects receipts that lack a log or have a different one", async () => {
    const { rows } = await (
      await startMarket(createChainClient({ rpcUrls: [node.url], chainId }), {})
    ).db.query(
      "select number, hash from block join event_settled on block_number = number order by number limit 1",
    );
    const honest = createChainClient({ rpcUrls: [node.url], chainId });
    const wanted = await readProvenLogs(honest, rows[0]);
    expect(wanted.map(({ logIndex }) => logIndex)).to.deep.equal(wanted.map((_log, place) => place));
    const changes: ((receipts: RawReceipt[]) => RawReceipt[])[] = [
      (receipts) => receipts.map((one) => ({ ...one, logs: one.logs.slice(1) })),
      (receipts) =>
        receipts.map((one) => ({ ...one, logs: one.logs.map((log) => ({ ...log, data: `${log.data}00` })) })),
      (receipts) => receipts.slice(1),
    ];
    for (const change of changes) {
      const tampering = {
        request: async (question: { method: string }) => {
          const answer = await honest.request(question as never);
          return question.method === "eth_getBlockReceipts" ? change(answer as RawReceipt[]) : answer;
        },
      } as RpcClient;
      const rejection = await readProvenLogs(tampering, rows[0]).catch((error: unknown) => error);
      expect(rejection).to.have.property("code", "rpc_receipts_mismatch");
      // The receipts of another endpoint are accepted.
      expect(await readProvenLogs({ ...tampering, otherEndpoints: honest }, rows[0])).to.deep.equal(wanted);
    }
  });
});
