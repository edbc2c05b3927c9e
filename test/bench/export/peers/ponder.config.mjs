// Copied to ponder.config.ts, beside abi.json and tables.json.
import { readFileSync } from "node:fs";
import { createConfig } from "ponder";

const task = JSON.parse(process.env.TASK);
const abi = JSON.parse(readFileSync("abi.json", "utf8"));

export default createConfig({
  ordering: "omnichain",
  database: { kind: "postgres", connectionString: task.databaseUrl },
  // Listed 25 times, since one endpoint is asked only so often a second.
  chains: { bench: { id: task.chainId, rpc: Array(25).fill(task.rpcUrl) } },
  contracts: {
    Market: {
      chain: "bench",
      abi,
      address: task.address,
      startBlock: Number(task.startBlock),
      // None: it goes on with what comes.
      ...(task.last === undefined ? {} : { endBlock: Number(task.last) }),
    },
  },
});
