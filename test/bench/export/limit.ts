import { performance } from "node:perf_hooks";
import { createPool } from "@ngpu/db/pool";
import { copyRows } from "../../../services/autoExport/copy.ts";
import { rpc } from "../../support/rpc.ts";
import { readTask, reportRun } from "./run.ts";

// The upper limit for an indexer on this machine: logs are requested ahead and copied unchanged into one table without an
// index. Nothing is decoded, no header is read, nothing is verified.
type RawLog = {
  address: string;
  topics: string[];
  data: string;
  blockNumber: string;
  blockHash: string;
  transactionHash: string;
  logIndex: string;
};

const blocksPerRequest = 64;
const requestsAhead = 3;

const task = readTask();
const since = performance.now();
const pool = createPool({ url: task.databaseUrl, name: "limit", max: 1 });
const db = await pool.connect();
await db.query(
  `set synchronous_commit to off; create table raw_log (block_number bigint, block_hash text, tx_hash text,
   log_index integer, address text, topic0 text, topic1 text, topic2 text, topic3 text, data text)`,
);
const last = Number(task.last);
let next = Number(task.startBlock);
const pending: Promise<RawLog[]>[] = [];
let stored: Promise<void> = Promise.resolve();
for (;;) {
  while (next <= last && pending.length < requestsAhead) pending.push(requestLogs());
  const logs = await pending.shift();
  if (logs === undefined) break;
  const lines = logs.map(lineOf).join("");
  await stored;
  stored = copyRows(db, "raw_log", lines);
}
await stored;
const milliseconds = performance.now() - since;
db.release();
await pool.end();
reportRun({ milliseconds, peakMib: Math.round(process.resourceUsage().maxRSS / 1_024) });

function requestLogs(): Promise<RawLog[]> {
  const from = next;
  const to = Math.min(last, from + blocksPerRequest - 1);
  next = to + 1;
  const filter = {
    address: task.address,
    fromBlock: `0x${from.toString(16)}`,
    toBlock: `0x${to.toString(16)}`,
  };
  return rpc(task.rpcUrl, "eth_getLogs", [filter]) as Promise<RawLog[]>;
}

function lineOf({ topics, ...log }: RawLog): string {
  const place = `${Number(log.blockNumber)}\t${log.blockHash}\t${log.transactionHash}\t${Number(log.logIndex)}`;
  const [a = "\\N", b = "\\N", c = "\\N", d = "\\N"] = topics;
  return `${place}\t${log.address}\t${a}\t${b}\t${c}\t${d}\t${log.data}\n`;
}
