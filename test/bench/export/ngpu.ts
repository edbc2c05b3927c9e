import { loadDefinitions } from "@ngpu/auto-export/definitions";
import { createFollowClient } from "@ngpu/chain-reader/client";
import { abis } from "@ngpu/contracts-sdk/abis";
import { createPool } from "@ngpu/db/pool";
import { createLogger } from "@ngpu/runtime/logger";
import { Registry } from "prom-client";
import { exportChain } from "../../../services/autoExport/exportLeader.ts";
import { createWatch } from "../../../services/autoExport/metrics.ts";
import { readTask, reportRun } from "./run.ts";

// Exports up to the last block and reports the duration. It is a separate process, so that its memory is the exporter's alone.
const task = readTask();
const logger = createLogger("autoExport", "warn");
const abort = new AbortController();
const watch = createWatch(new Registry());
const since = performance.now();
const pool = createPool({ url: task.databaseUrl, name: "autoExport", max: 2 });
let ended = since;
const rssNow = () => Math.round(process.memoryUsage.rss() / 1024 ** 2);
const rssMib = [rssNow()];
const first = Number(task.startBlock);
const last = Number(task.last);
await exportChain({
  pool,
  client: createFollowClient({
    rpcUrls: [task.rpcUrl],
    chainId: task.chainId,
    logger,
    signal: abort.signal,
  }),
  deployment: {
    chainId: task.chainId,
    startBlock: BigInt(task.startBlock),
    contracts: Object.fromEntries(Object.keys(abis).map((name) => [name, task.address])) as never,
    previous: [],
  },
  definitions: task.mode === "events" ? loadDefinitions(abis, task.emptyFolder) : loadDefinitions(),
  watch: {
    ...watch,
    stored(step, events) {
      watch.stored(step, events);
      if (step.type !== "blocks") return;
      const stored = Number(step.blocks.at(-1)?.number ?? 0n);
      while (stored >= first + ((last - first) * rssMib.length) / 4 && rssMib.length <= 4)
        rssMib.push(rssNow());
      if (stored < last) return;
      ended = performance.now();
      abort.abort();
    },
  },
  logger,
  signal: abort.signal,
});
await pool.end();
const peakMib = Math.round(process.resourceUsage().maxRSS / 1024);
reportRun({ milliseconds: ended - since, peakMib, rssMib });
