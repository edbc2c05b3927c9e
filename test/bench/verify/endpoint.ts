import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Hex, numberToHex } from "viem";
import { receiptsRootOf } from "../../../packages/chain-reader/receiptsRoot.ts";
import { writeDay } from "./day/index.ts";
import type { Market, Scale } from "./day/market.ts";
import { anyBloom, encodeLogs, type ServedBlock } from "./encodedLogs.ts";

/*
 * A process that writes a day of a market and serves it over JSON-RPC. It prints its URL and the deployment as a line of JSON.
 */

type Call = { id: number; method: string; params?: [string & { fromBlock: Hex; toBlock: Hex }] };

const noBloom: Hex = `0x${"0".repeat(512)}`;
const emptyRoot = receiptsRootOf([]);

function createAnswers(
  { upTo, hashOf, timeOf, deployment }: Market,
  blocks: ReadonlyMap<number, ServedBlock>,
) {
  const header = (block: number) => ({
    number: numberToHex(block),
    hash: hashOf(block),
    parentHash: hashOf(block - 1),
    timestamp: numberToHex(timeOf(block)),
    logsBloom: blocks.has(block) ? anyBloom : noBloom,
    baseFeePerGas: "0x1",
    receiptsRoot: blocks.get(block)?.receiptsRoot ?? emptyRoot,
  });
  const logsOf = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, place) => blocks.get(from + place)?.logs ?? []).flat();
  return ({ method, params: [first] = [] as never }: Call): unknown => {
    switch (method) {
      case "eth_chainId":
        return numberToHex(deployment.chainId);
      case "eth_blockNumber":
        return numberToHex(upTo);
      case "eth_getBlockByNumber":
        return header(first === "latest" ? upTo : Number(first));
      case "eth_getBlockReceipts":
        return blocks.get(Number(first))?.receipts ?? [];
      case "eth_getLogs":
        return logsOf(Number(first.fromBlock), Number(first.toBlock));
      default:
        return undefined;
    }
  };
}

const { market, logs } = await writeDay(JSON.parse(process.argv[2] as string) as Scale);
const answer = createAnswers(market, encodeLogs(logs, market.deployment, market.hashOf));
const one = (call: Call) => {
  const result = answer(call);
  const unserved = { code: -32_601, message: `The endpoint does not serve ${call.method}.` };
  return { jsonrpc: "2.0", id: call.id, ...(result === undefined ? { error: unserved } : { result }) };
};
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body: Call | Call[] = JSON.parse(Buffer.concat(chunks).toString());
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(Array.isArray(body) ? body.map(one) : one(body)));
});
// The auditor may be busy for longer between two requests.
server.keepAliveTimeout = 600_000;
server.requestTimeout = 0;
server.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  process.stdout.write(`${JSON.stringify({ url, document: market.document, logs: logs.length })}\n`);
});
