import { mkdirSync } from "node:fs";
import { join } from "node:path";
import getPort from "get-port";
import { RetryableError } from "../../../services/shared/errors.ts";
import type { Market } from "../market.ts";
import type { JourneyResult } from "../result.ts";
import { type Addresses, baseEnvironment, startProgram } from "../services.ts";
import { waitFor } from "../wait.ts";

type NodeRow = {
  node_id: number;
  key: string;
  gpu_count: number;
  gpu_name: string;
  cpu_milli: number;
  memory_mib: number;
};

/** This machine joins as a compute node, by the client that operators run; ends once the chain knows it. */
export async function joinNode(
  market: Market,
  addresses: Addresses,
): Promise<JourneyResult["node"] & { told: string }> {
  const dir = join(market.stateDir, "node");
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const port = await getPort({ host: "127.0.0.1" });
  const wallet = market.keys.operator.account.address;
  await startProgram(market, {
    name: "node",
    entry: "node-client/main.ts",
    args: ["run"],
    env: {
      ...baseEnvironment(market),
      HOST: "127.0.0.1",
      PORT: String(port),
      NGPU_API: addresses.api,
      NODE_DIR: dir,
      NODE_WALLET: wallet,
      NODE_HOST: "127.0.0.1",
      NODE_PRICE: "1000000000000",
      NODE_DOCKER_SOCKET: market.dockerSocket,
      NODE_STOP_CONTAINERS: "1",
    },
    healthUrl: `http://127.0.0.1:${port}/healthz`,
  });
  const row = await waitFor(
    "the node's registration on the chain",
    async () => {
      const { rows } = await market.database.query<NodeRow>(
        `select node_id, key, gpu_count, gpu_name, cpu_milli, memory_mib
           from chain.node where wallet = $1 and status = 'online' order by node_id desc limit 1`,
        [wallet.toLowerCase()],
      );
      return rows[0];
    },
    { signal: market.signal, seconds: 60 },
  );
  const gpus = row.gpu_count === 0 ? "no GPU" : `${row.gpu_count} × ${row.gpu_name}`;
  return {
    id: Number(row.node_id),
    address: row.key,
    told: `node ${row.node_id}: ${gpus}, ${row.cpu_milli / 1000} cores, ${Math.floor(row.memory_mib / 1024)} GiB`,
  };
}

/** A measurement node joins with a wallet of its own, because nobody measures their own node. */
export async function joinMeasurer(market: Market, addresses: Addresses): Promise<number> {
  const dir = join(market.stateDir, "measurer");
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const port = await getPort({ host: "127.0.0.1" });
  const wallet = market.keys.measurer.account.address;
  await startProgram(market, {
    name: "measurer",
    entry: "node-client/main.ts",
    args: ["measure"],
    env: {
      ...baseEnvironment(market),
      HOST: "127.0.0.1",
      PORT: String(port),
      NGPU_API: addresses.api,
      MEASURER_DIR: dir,
      MEASURER_WALLET: wallet,
    },
    healthUrl: `http://127.0.0.1:${port}/healthz`,
  });
  return waitFor(
    "the measurement node's registration on the chain",
    async () => {
      const { rows } = await market.database.query<{ measurer_id: number }>(
        "select measurer_id from chain.measurer where wallet = $1 order by measurer_id desc limit 1",
        [wallet.toLowerCase()],
      );
      return rows[0] === undefined ? undefined : Number(rows[0].measurer_id);
    },
    { signal: market.signal, seconds: 60 },
  );
}

type MeasurementRow = {
  round_id: bigint;
  down_mbps: number;
  up_mbps: number;
  ports_reachable: number;
  disk_free_gib: number;
};

/** Waits for the first finalized measurement of the node. */
export async function measureNode(
  market: Market,
  nodeId: number,
): Promise<JourneyResult["measurement"] & { diskFreeGib: number }> {
  const row = await waitFor(
    "a finalized measurement",
    async () => {
      const { rows } = await market.database.query<MeasurementRow>(
        `select round_id, down_mbps, up_mbps, ports_reachable, disk_free_gib
           from chain.measurement where node_id = $1 and status = 'finalized' and submissions > 0
          order by round_id desc limit 1`,
        [nodeId],
      );
      return rows[0];
    },
    { signal: market.signal, seconds: 150 },
  );
  if (row.ports_reachable < 1) {
    throw new RetryableError("The measurement node reached no mapped port.", { code: "port_unreachable" });
  }
  return {
    id: String(row.round_id),
    downMbps: Number(row.down_mbps),
    upMbps: Number(row.up_mbps),
    portsReachable: Number(row.ports_reachable),
    diskFreeGib: Number(row.disk_free_gib),
  };
}
