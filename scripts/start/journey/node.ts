import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { domainOf, measurerConsentTypes, walletConsentTypes } from "@ngpu/contracts-sdk/typedData";
import { openIdentity } from "@ngpu/node-client/keys/identity";
import getPort from "get-port";
import type { Hex } from "viem";
import type { Market } from "../market.ts";
import type { Addresses } from "../ports.ts";
import { baseEnvironment, startProgram } from "../program.ts";
import type { Progress } from "../reporter.ts";
import type { JourneyResult } from "../result.ts";
import { waitFor } from "../waitFor.ts";
import { untilDone } from "./step.ts";

type NodeRow = {
  node_id: number;
  key: string;
  gpu_count: number;
  gpu_name: string;
  cpu_milli: number;
  memory_mib: number;
};

type Client = { name: "node" | "measurer"; command: "run" | "measure"; env: Record<string, string> };

type JoinedNode = JourneyResult["node"] & { summary: string };

/**
 * This machine joins as a compute node, with the client that operators run. Resolves once the node is on the chain.
 */
export function joinNode(market: Market, addresses: Addresses): (progress: Progress) => Promise<JoinedNode> {
  const begin = untilDone(async (progress: Progress) => {
    const dir = folder(market, "node");
    return startClient(market, progress, {
      name: "node",
      command: "run",
      env: {
        NGPU_API: addresses.api,
        NODE_DIR: dir,
        NODE_WALLET: market.keys.operator.account.address,
        NODE_WALLET_CONSENT: await consentOfOperator(market, dir),
        NODE_HOST: "127.0.0.1",
        NODE_PRICE: "1000000000000",
        NODE_DOCKER_SOCKET: market.dockerSocket,
        NODE_STOP_CONTAINERS: "1",
        // The workspace of the journey stays on this machine, so the CPU is proven beside it. What is not proven is not placed.
        NODE_PROOF_BESIDE_TENANTS: "1",
        NODE_PROOF_MEMORY_MIB: "2048",
      },
    });
  });
  return async (progress) => registeredNode(market, await begin(progress), progress);
}

/** The operator's wallet is on this machine, so that it accepts the node beforehand. */
async function consentOfOperator(market: Market, dir: string): Promise<Hex> {
  const { account } = market.keys.operator;
  return account.signTypedData({
    domain: domainOf(market.deployment, "ComputeNode"),
    types: walletConsentTypes,
    primaryType: "WalletConsent",
    message: {
      key: (await openIdentity({ dir, name: "node" })).address,
      wallet: account.address,
      sequence: 0,
    },
  });
}

async function registeredNode(market: Market, health: AskHealth, progress: Progress): Promise<JoinedNode> {
  const wallet = market.keys.operator.account.address.toLowerCase();
  const row = await waitFor(
    "the node's registration on the chain",
    async () => {
      const { address, session } = await health();
      const { rows } = await market.database.query<NodeRow>(
        `select node_id, key, gpu_count, gpu_name, cpu_milli, memory_mib
           from chain.node where key = $1 and wallet = $2 and status = 'online'`,
        [address.toLowerCase(), wallet],
      );
      // On a persistent chain the node may be online from an earlier start, too.
      return session ? rows[0] : undefined;
    },
    {
      signal: market.signal,
      logsDir: market.logsDir,
      progress,
      seconds: 120,
      describeState: async () => sessionSeen("the node", await health()),
    },
  );
  const gpus = row.gpu_count === 0 ? "no GPU" : `${row.gpu_count} × ${row.gpu_name}`;
  return {
    id: Number(row.node_id),
    address: row.key,
    summary: `node ${row.node_id}: ${gpus}, ${row.cpu_milli / 1000} cores, ${Math.floor(row.memory_mib / 1024)} GiB`,
  };
}

export type Measurer = { id: number; health: AskHealth };

/** A measurement node joins with another wallet, because a wallet cannot measure its own nodes. */
export function joinMeasurer(
  market: Market,
  addresses: Addresses,
): (progress: Progress) => Promise<Measurer> {
  const begin = untilDone(async (progress: Progress) => {
    const dir = folder(market, "measurer");
    return startClient(market, progress, {
      name: "measurer",
      command: "measure",
      env: {
        NGPU_API: addresses.api,
        MEASURER_DIR: dir,
        MEASURER_WALLET: market.keys.measurer.account.address,
        MEASURER_WALLET_CONSENT: await consentToMeasurer(market, dir),
        MEASURER_PRIVATE_ADDRESSES: "1",
      },
    });
  });
  return async (progress) => registeredMeasurer(market, await begin(progress), progress);
}

async function consentToMeasurer(market: Market, dir: string): Promise<Hex> {
  const { account } = market.keys.measurer;
  return account.signTypedData({
    domain: domainOf(market.deployment, "Measure"),
    types: measurerConsentTypes,
    primaryType: "MeasurerConsent",
    message: { key: (await openIdentity({ dir, name: "measurer" })).address, wallet: account.address },
  });
}

async function registeredMeasurer(market: Market, health: AskHealth, progress: Progress): Promise<Measurer> {
  const id = await waitFor(
    "the measurement node's registration on the chain",
    async () => {
      const { address, session } = await health();
      const { rows } = await market.database.query<{ measurer_id: number }>(
        "select max(measurer_id) as measurer_id from chain.measurer where key = $1 having count(*) > 0",
        [address.toLowerCase()],
      );
      return session && rows[0] !== undefined ? Number(rows[0].measurer_id) : undefined;
    },
    {
      signal: market.signal,
      logsDir: market.logsDir,
      progress,
      seconds: 120,
      describeState: async () => sessionSeen("the measurer", await health()),
    },
  );
  return { id, health };
}

export function sessionSeen(who: string, { session }: ClientHealth): string {
  return `${who} is ${session ? "connected" : "not connected"}`;
}

/** The client's directory, with its key. Its journal of an embedded chain that was reset is removed. */
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
type AskHealth = () => Promise<ClientHealth>;

/** Starts the node client as an operator would. Returns a function that describes its state. */
async function startClient(market: Market, progress: Progress, client: Client): Promise<AskHealth> {
  const port = await getPort({ host: "127.0.0.1" });
  const healthUrl = `http://127.0.0.1:${port}/healthz`;
  progress(`starting the ${client.name} client`);
  await startProgram(market, {
    name: client.name,
    group: "clients",
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
