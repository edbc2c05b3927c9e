import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadDefinitions } from "../../../services/autoExport/definitions.ts";
import type { ExportParts } from "../../../services/autoExport/lead.ts";
import { abis } from "../../../services/shared/chain/abis.ts";
import { createChainClient, createFollowClient } from "../../../services/shared/chain/client.ts";
import { readProvenLogs } from "../../../services/shared/chain/receipts.ts";
import { type RawReceipt, receiptsRootOf } from "../../../services/shared/chain/receiptsRoot.ts";
import type { RpcClient } from "../../../services/shared/chain/rpc.ts";
import { randomFrom } from "../../shared/scriptedChain.ts";
import { type AnvilMarket, startAnvilMarket } from "../../support/anvilMarket.ts";
import { testStateDir } from "../../support/parts.ts";
import { startRpcProxy } from "../../support/rpcProxy.ts";
import { dump, type Exporter, setup, silent, startExporter, tipOf, until } from "./setup.ts";

const chainId = 31_337;
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
      onFault: (_endpoint, code) => faults.push(code),
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
      audit: { blocks: 20, interval: 5 },
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
      expect(await readProvenLogs({ ...lying, elsewhere: honest }, rows[0])).to.deep.equal(wanted);
    }
  });
});
