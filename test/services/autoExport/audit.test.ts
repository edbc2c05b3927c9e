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

  it("finds a log that the endpoint left out of several, and reads the block again", async () => {
    const endpoint = await startRpcProxy({ target: node.url, random, heads });
    undos.push(endpoint.stop);
    endpoint.misbehave({ missingOne: 0.5 });
    const faults: string[] = [];
    const ending = new AbortController();
    undos.push(async () => ending.abort());
    const client = createFollowClient({
      rpcUrls: [endpoint.url],
      chainId,
      logger: silent,
      signal: ending.signal,
      onError: (_endpoint, code) => faults.push(code),
    });
    // Without projections: one whose first event is left out cannot be stored, and there were nothing to audit.
    const folder = mkdtempSync(join(tmpdir(), "projections-"));
    undos.push(async () => rmSync(folder, { recursive: true }));
    const definitions = loadDefinitions(abis, folder);
    const blind = await startMarket(client, { definitions });
    const wanted = await startMarket(createChainClient({ rpcUrls: [node.url], chainId }), { definitions });
    const rows = await dump(wanted.db, definitions);
    expect(await dump(blind.db, definitions), "what a bloom does not tell").to.not.deep.equal(rows);

    const missing: number[] = [];
    const warn = ({ event, blocks }: { event: string; blocks?: bigint[] }) => {
      if (event === "logs_missing") missing.push(blocks?.length ?? 0);
    };
    const sighted = await startMarket(client, {
      definitions,
      // One by one, so that the endpoint is asked again after each: it leaves a log out in half of all answers.
      audit: { blocks: 1, interval: 5 },
      logger: { ...silent, warn },
    });
    await until(
      "all is audited",
      async () => {
        const { rows: found } = await sighted.db.query(
          "select from audit join head on tier = 'safe' where audit.number = head.number and head.number = $1",
          [(await node.head()).number - BigInt(heads.safe)],
        );
        return found.length === 1;
      },
      60_000,
    );
    expect(missing.length).to.be.greaterThan(0);
    expect(await dump(sighted.db, definitions)).to.deep.equal(rows);
    expect(faults).to.include("rpc_logs_missing");
  });

  /** An endpoint that leaves out the events that begin rows, wherever the bloom does not tell. */
  function withoutBeginnings() {
    const client = createChainClient({ rpcUrls: [node.url], chainId });
    const begins = new Set(["NodeRegistered", "Assigned", "WorkspacePublished"].map(selectorOf));
    let leftOut = 0;
    const request = async (call: { method: string }) => {
      const answer = await client.request(call as never);
      if (call.method !== "eth_getLogs") return answer;
      const logs = answer as { address: string; blockHash: string; topics: string[] }[];
      // What is alone of its contract in a block, the bloom would tell.
      const rest = logs.filter(
        (log) =>
          !begins.has(log.topics[0] as Hex) ||
          !logs.some(
            ({ address, blockHash, topics }) =>
              address === log.address && blockHash === log.blockHash && !begins.has(topics[0] as Hex),
          ),
      );
      leftOut += logs.length - rest.length;
      return rest;
    };
    return { request, leftOut: () => leftOut };
  }

  it("finds what an endpoint left out once a row builds on it, before its block is safe", async () => {
    const wanted = await startMarket(createChainClient({ rpcUrls: [node.url], chainId }), {});
    const { request, leftOut } = withoutBeginnings();
    const found: string[] = [];
    const warn = ({ event }: { event: string }) => found.push(event);
    // Nothing is safe for an audit at first, then everything is.
    let isSafe = false;
    const shaped = async (call: { method: string; params: [string, boolean] }) =>
      call.method === "eth_getBlockByNumber" && call.params[0] === "safe"
        ? request({ ...call, params: [isSafe ? "latest" : "0x0", false] } as never)
        : request(call);
    const healed = await startMarket({ request: shaped } as never, {
      logger: { ...silent, warn },
      audit: { blocks: 50, interval: 5 },
    });
    expect(leftOut()).to.be.greaterThan(0);
    expect(found).to.include("logs_missing");
    isSafe = true;
    const rows = await dump(wanted.db);
    const same = async () => JSON.stringify(await dump(healed.db)) === JSON.stringify(rows);
    await until("the rest is audited", same, 60_000);
  });

  it("says what to do when a row lacks its beginning and no endpoint serves receipts", async () => {
    const { request } = withoutBeginnings();
    const unproven = (call: { method: string }) =>
      request(call.method === "eth_getBlockReceipts" ? { method: "eth_noSuchMethod" } : call);
    const market = await setup();
    const exporter = startExporter(market.database, { request: unproven } as never, {
      audit: { blocks: 50, interval: 5 },
    });
    undos.push(market.drop, exporter.stop);
    const error = (await exporter.ended) as FatalError;
    expect(error).to.be.instanceOf(FatalError).and.have.property("code", "logs_missing");
    expect(error.hint).to.contain("eth_getBlockReceipts");
  });

  it("computes the root that the node put into its headers, of any number of receipts", async () => {
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

  it("proves nothing by receipts that lack a log, or have another one", async () => {
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
      const lying = {
        request: async (question: { method: string }) => {
          const answer = await honest.request(question as never);
          return question.method === "eth_getBlockReceipts" ? change(answer as RawReceipt[]) : answer;
        },
      } as RpcClient;
      const fault = await readProvenLogs(lying, rows[0]).catch((error: unknown) => error);
      expect(fault).to.have.property("code", "rpc_receipts_unproven");
      // Another endpoint's do.
      expect(await readProvenLogs({ ...lying, otherEndpoints: honest }, rows[0])).to.deep.equal(wanted);
    }
  });
});
