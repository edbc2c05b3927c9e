import { readFileSync } from "node:fs";
import type { NgpuParametersInput } from "@ngpu/contracts/ignition/parameters";
import { managerAbi } from "@ngpu/contracts-sdk/generated/abi";
import { type Hex, parseEther } from "viem";
import { opChain } from "./chain.ts";
import { loadMarket, type MarketFixture, marketFixture } from "./market.ts";
import { addNodes, type Node } from "./nodes.ts";
import {
  assign,
  authorize,
  deposit,
  partner,
  publish,
  report,
  state,
  type WorkspaceSpec,
} from "./workspaces.ts";

const network = new URL("../../../contracts/ignition/networks/op-sepolia.json", import.meta.url);
const addresses = ["admin", "operations", "guardian", "unpauser", "treasury", "poster", "receiptsPoster"];
const lists = [
  "watchers",
  "committers",
  "acknowledgers",
  "cosigners",
  "keepers",
  "witnesses",
  "measureKeepers",
];

/** The parameters of op-sepolia, without its accounts. */
const { parameters } = JSON.parse(readFileSync(network, "utf8")) as { parameters: NgpuParametersInput };
const terms = Object.fromEntries(
  Object.entries(parameters).filter(([name]) => ![...addresses, ...lists].includes(name)),
) as Partial<NgpuParametersInput>;

/** The price of each honest node, 0.36 NGPU an hour, and the highest that the partner's leases may cost, 3.6 an hour. */
export const price = 10n ** 14n;
export const maxRate = 10n ** 15n;
export const replicas = 4;

async function robbedFixture() {
  const connection = await opChain();
  const wallets = await connection.viem.getWalletClients();
  const at = (place: number) => wallets[place]?.account.address as Hex;
  return marketFixture({ ...terms, admin: at(12), operations: at(13) });
}

export type Robbed = MarketFixture & { honest: Node; thief: Node; admin: Hex; operations: Hex };

/**
 * A market with the parameters of op-sepolia: a partner with 1,000 NGPU and an authorization of at most 3.6 NGPU an hour, 86.4 a day and
 * 500 in all; an honest node; and the thief's own node, at the highest price that the authorization allows.
 */
export async function loadRobbed(): Promise<Robbed> {
  const market = await loadMarket(robbedFixture);
  const wallets = await market.connection.viem.getWalletClients();
  const [honest] = await addNodes(market, ["honest node"], { pricePerSecond: price });
  const [thief] = await addNodes(market, ["thief's node"], { pricePerSecond: maxRate });
  if (honest === undefined || thief === undefined) throw new Error("The nodes were not registered.");
  await deposit(market, partner.address, parseEther("1000"));
  await authorize(market, { maxRate, daily: maxRate * 86_400n, total: parseEther("500") });
  const at = (place: number) => wallets[place]?.account.address as Hex;
  return { ...market, honest, thief, admin: at(12), operations: at(13) };
}

export type Run = { ref: { workspaceId: bigint; replica: number; lease: number }; spec: WorkspaceSpec };

export const refOf = ({ ref }: Pick<Run, "ref">) => ref;

/** Assigns replicas of a workspace to a node, which reports them as running. */
export async function runOn(
  market: Robbed,
  node: Node,
  given: {
    workspaceId: bigint;
    spec: WorkspaceSpec;
    replicas: readonly number[];
    account: Hex;
    sequence?: number;
  },
): Promise<Run[]> {
  const { workspaceId, spec, account, sequence = 1 } = given;
  const items = given.replicas.map((replica) => ({
    workspaceId,
    replica,
    nodeId: node.id,
    start: true,
    spec,
  }));
  await assign(market, items, account);
  const runs: Run[] = [];
  for (const replica of given.replicas) {
    const { lease, fence } = await market.docker.read.assignmentOf([workspaceId, replica]);
    const ref = { workspaceId, replica, lease };
    await report(
      { ...market, nodes: { first: node, second: node } },
      { ref, fence },
      state.running,
      sequence,
      {},
      node.key,
    );
    runs.push({ ref, spec });
  }
  return runs;
}

/** A workspace of the partner with replicas on the honest node, at its price. */
export async function honestLeases(
  market: Robbed,
): Promise<{ workspaceId: bigint; spec: WorkspaceSpec; runs: Run[] }> {
  const { workspaceId, spec } = await publish(market, { maxPricePerSecond: maxRate }, { replicas });
  const all = Array.from({ length: replicas }, (_, replica) => replica);
  const runs = await runOn(market, market.honest, {
    workspaceId,
    spec,
    replicas: all,
    account: market.people.keeper,
  });
  return { workspaceId, spec, runs };
}

/** Sends transactions of an account that the chain simulates. */
export async function asManager({ connection, deployment }: Robbed, caller: Hex) {
  const wallet = await connection.viem.getWalletClient(caller);
  const manager = { address: deployment.contracts.AccessManager, abi: managerAbi } as const;
  return {
    schedule: (to: Hex, data: Hex) =>
      wallet.writeContract({ ...manager, functionName: "schedule", args: [to, data, 0] }),
    execute: (to: Hex, data: Hex) =>
      wallet.writeContract({ ...manager, functionName: "execute", args: [to, data] }),
  };
}
