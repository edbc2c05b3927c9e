import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import getPort from "get-port";
import type { Market } from "../market.ts";
import type { Addresses } from "../ports.ts";
import type { Progress } from "../reporter.ts";
import type { JourneyResult } from "../result.ts";
import { baseEnvironment, startProgram } from "../services.ts";
import { waitFor } from "../wait.ts";

type NodeRow = {
  node_id: number;
  key: string;
  gpu_count: number;
  gpu_name: string;
  cpu_milli: number;
  memory_mib: number;
};

type Client = { name: "node" | "measurer"; command: "run" | "measure"; env: Record<string, string> };

/** This machine joins as a compute node, by the client that operators run; ends once the chain knows it. */
export async function joinNode(
  market: Market,
  addresses: Addresses,
  progress: Progress,
): Promise<JourneyResult["node"] & { told: string }> {
  const health = await startClient(market, progress, {
    name: "node",
    command: "run",
    env: {
      NGPU_API: addresses.api,
      NODE_DIR: folder(market, "node"),
      NODE_WALLET: market.keys.operator.account.address,
      NODE_HOST: "127.0.0.1",
      NODE_PRICE: "1000000000000",
      NODE_DOCKER_SOCKET: market.dockerSocket,
      NODE_STOP_CONTAINERS: "1",
    },
  });
  const row = await waitFor(
    "the node's registration on the chain",
    async () => {
      const { address, session } = await health();
      const { rows } = await market.database.query<NodeRow>(
        `select node_id, key, gpu_count, gpu_name, cpu_milli, memory_mib
           from chain.node where key = $1 and wallet = $2 and status = 'online'`,
        [address.toLowerCase(), market.keys.operator.account.address.toLowerCase()],
      );
      // A chain that lasts shows it online from an earlier start, too.
      return session ? rows[0] : undefined;
    },
    { signal: market.signal, logsDir: market.logsDir, progress, seconds: 120 },
  );
  const gpus = row.gpu_count === 0 ? "no GPU" : `${row.gpu_count} × ${row.gpu_name}`;
  return {
    id: Number(row.node_id),
    address: row.key,
    told: `node ${row.node_id}: ${gpus}, ${row.cpu_milli / 1000} cores, ${Math.floor(row.memory_mib / 1024)} GiB`,
  };
}

/** A measurement node joins with a wallet of its own, because nobody measures their own node. */
export async function joinMeasurer(
  market: Market,
  addresses: Addresses,
  progress: Progress,
): Promise<number> {
  const health = await startClient(market, progress, {
    name: "measurer",
    command: "measure",
    env: {
      NGPU_API: addresses.api,
      MEASURER_DIR: folder(market, "measurer"),
      MEASURER_WALLET: market.keys.measurer.account.address,
    },
  });
  return waitFor(
    "the measurement node's registration on the chain",
    async () => {
      const { address, session } = await health();
      const { rows } = await market.database.query<{ measurer_id: number }>(
        "select max(measurer_id) as measurer_id from chain.measurer where key = $1 having count(*) > 0",
        [address.toLowerCase()],
      );
      return session && rows[0] !== undefined ? Number(rows[0].measurer_id) : undefined;
    },
    { signal: market.signal, logsDir: market.logsDir, progress, seconds: 120 },
  );
}

/** The client's folder, with its key. What it remembers of an embedded chain that is no more would only mislead it. */
function folder(market: Market, name: string): string {
  const dir = join(market.stateDir, name);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (market.chain.embedded) {
    for (const file of readdirSync(dir).filter((one) => one.startsWith("journal.sqlite"))) {
      rmSync(join(dir, file));
    }
  }
  return dir;
}

type ClientHealth = { address: string; session: boolean };

/** Starts the node client as an operator would; gives a way to ask how it is. */
async function startClient(
  market: Market,
  progress: Progress,
  client: Client,
): Promise<() => Promise<ClientHealth>> {
  const port = await getPort({ host: "127.0.0.1" });
  const healthUrl = `http://127.0.0.1:${port}/healthz`;
  progress(`starting the ${client.name} client`);
  await startProgram(market, {
    name: client.name,
    entry: "node-client/main.ts",
    args: [client.command],
    env: { ...baseEnvironment(market), HOST: "127.0.0.1", PORT: String(port), ...client.env },
    healthUrl,
  });
  return async () => {
    const response = await fetch(healthUrl, { signal: market.signal });
    return ((await response.json()) as { details: ClientHealth }).details;
  };
}

type MeasurementRow = {
  round_id: bigint;
  down_mbps: number;
  up_mbps: number;
  ports_reachable: number;
  disk_free_gib: number;
};

/** Waits for a finalized measurement of the node that is still good. */
export async function measureNode(
  market: Market,
  nodeId: number,
  progress: Progress,
): Promise<JourneyResult["measurement"] & { diskFreeGib: number }> {
  const { measureWindowSeconds } = market.deployment.parameters;
  const row = await waitFor(
    "a finalized measurement",
    async () => {
      const { rows } = await market.database.query<MeasurementRow>(
        `select round_id, down_mbps, up_mbps, ports_reachable, disk_free_gib
           from chain.measurement
          where node_id = $1 and status = 'finalized' and not absent
            and expires_at > extract(epoch from now())
          order by round_id desc limit 1`,
        [nodeId],
      );
      return rows[0];
    },
    {
      ...{ signal: market.signal, logsDir: market.logsDir, progress },
      // A round that comes to nothing is followed by another.
      seconds: 90 + 3 * measureWindowSeconds,
      seeing: () => roundSeen(market, nodeId),
    },
  );
  if (row.ports_reachable < 1) {
    throw new FatalError("The measurement node reached no mapped port of this machine.", {
      code: "port_unreachable",
      hint: `The logs of node and measurer stand in ${market.logsDir}.`,
    });
  }
  return {
    id: String(row.round_id),
    downMbps: Number(row.down_mbps),
    upMbps: Number(row.up_mbps),
    portsReachable: Number(row.ports_reachable),
    diskFreeGib: Number(row.disk_free_gib),
  };
}

async function roundSeen(market: Market, nodeId: number): Promise<string> {
  const { rows } = await market.database.query<{ round_id: bigint; status: string; drawn: string | null }>(
    `select m.round_id, m.status, d.status || coalesce(' (' || d.failure || ')', '') as drawn
       from chain.measurement m left join app.measure_round d using (draws)
      where m.node_id = $1 order by m.round_id desc limit 1`,
    [nodeId],
  );
  const [round] = rows;
  return round === undefined
    ? "no round requested yet"
    : `round ${round.round_id} ${round.status}, ${round.drawn ?? "not drawn yet"}`;
}
