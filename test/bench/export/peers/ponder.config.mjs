// Copied to ponder.config.ts, beside abi.json and tables.json.
import { readFileSync } from "node:fs";
import { createConfig } from "ponder";

const task = JSON.parse(process.env.TASK);
const abi = JSON.parse(readFileSync("abi.json", "utf8"));

export default createConfig({
  ordering: "omnichain",
  database: { kind: "postgres", connectionString: task.databaseUrl },
  // Listed 25 times, because ponder limits the request rate of each endpoint.
  chains: { bench: { id: task.chainId, rpc: Array(25).fill(task.rpcUrl) } },
  contracts: {
    Market: {
      chain: "bench",
      abi,
      address: task.address,
      startBlock: Number(task.startBlock),
      // Without an end block it continues to follow the chain.
      ...(task.last === undefined ? {} : { endBlock: Number(task.last) }),
    },
  },
});
