import { createPool } from "@ngpu/db/pool";
import { decideByIndex } from "@ngpu/placement/decideByIndex";
import { strategyOf } from "@ngpu/placement/preferences";
import { readWanted } from "@ngpu/queries/wanted";
import { createSender, type Sender } from "@ngpu/tx-sender/send";
import type { Hex } from "viem";
import { createFleetSync } from "../../../services/match/scheduling/fleetSync.ts";
import { eventually } from "../../services/support/context.ts";
import { accounts } from "../../services/workspace/chain.ts";
import { addNode, fund, type Published, publish } from "../../services/workspace/chainActions.ts";
import { openMarket, type TestMarket } from "../../services/workspace/market.ts";

/** Placements per transaction, as in dispense, and concurrent transactions. */
const batchSize = 50;
const inProgress = 4;
/** Replicas per workspace, limited by the rate of an authorization. */
const replicasEach = 100;
/** Replicas that fit on a node. */
const replicasPerNode = 50;

type Item = {
  workspaceId: bigint;
  replica: number;
  nodeId: number;
  start: boolean;
  pricePerSecond: bigint;
  decidedAt: bigint;
  position: number;
  excluded: Hex;
  spec: Published["spec"];
};

/**
 * Measures placements per second from the decision to the row in Postgres. The index over the exported fleet chooses, batches of
 * `assign` go to a chain with the real contracts, and autoExport exports them to schema chain.
 *
 * @param placements number of placements, rounded up to a multiple of the replicas per workspace
 * @returns placements per second
 */
export async function measureDurable(placements: number): Promise<number> {
  const market = await openMarket();
  const pool = createPool({ url: market.urlAs("ngpu_dispense"), name: "bench", max: 8 });
  try {
    const workspaces = await fill(market, Math.ceil(placements / replicasEach));
    const { client, deployment } = market.chain;
    const { logger, signal } = market.context;
    const account = accounts.dispense;
    const sender = await createSender({ pool, client, account, deployment, logger, signal, pollMs: 20 });
    const start = performance.now();
    const batches = batched(await choose(market, workspaces));
    const lanes = Array.from({ length: inProgress }, async () => {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift())
        await send(sender, batch);
    });
    await Promise.all(lanes);
    const wanted = workspaces.length * replicasEach;
    await eventually("every placement in Postgres", async () => {
      const { rows } = await market.pool.query<{ count: number }>(
        "select count(*)::int as count from chain.assignment where release_reason is null",
      );
      return rows[0]?.count === wanted;
    });
    return wanted / ((performance.now() - start) / 1_000);
  } finally {
    await pool.end();
    await market.stop();
  }
}

/** Adds enough nodes for all replicas, and publishes the workspaces. */
async function fill({ chain, exported }: TestMarket, count: number): Promise<Published[]> {
  for (let node = 0; node < Math.ceil((count * replicasEach) / replicasPerNode); node += 1) {
    await addNode(chain, `bench ${node}`, replicasPerNode);
  }
  const workspaces: Published[] = [];
  for (let at = 0; at < count; at += 1) {
    const authorizationId = await fund(chain, 1_000_000n);
    workspaces.push(await publish(chain, { authorizationId, replicas: replicasEach }));
  }
  await exported();
  return workspaces;
}

/** Decides placements as match does, one replica after the other. */
async function choose({ pool, chain }: TestMarket, workspaces: Published[]): Promise<Item[]> {
  const { block, index } = await createFleetSync(pool, chain.deployment.parameters.waves)();
  const items: Item[] = [];
  for (const { workspaceId, spec } of workspaces) {
    const wanted = await readWanted(pool, { workspace_id: workspaceId, excluded: [] }, block);
    if (wanted === undefined) throw new Error(`Workspace ${workspaceId} is not open.`);
    const request = { ...wanted.request, position: 0 };
    for (let replica = 0; replica < replicasEach; replica += 1) {
      const decision = decideByIndex(index, request, strategyOf(wanted.preferences));
      if (decision.type === "impossible")
        throw new Error("No node fits, although the nodes have capacity for all replicas.");
      index.reserve(decision.nodeId, request);
      items.push({
        workspaceId,
        replica,
        nodeId: decision.nodeId,
        start: true,
        pricePerSecond: spec.maxPricePerSecond,
        decidedAt: 0n,
        position: 0,
        excluded: "0x",
        spec,
      });
    }
  }
  return items;
}

function batched(items: Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / batchSize) }, (_, at) =>
    items.slice(at * batchSize, (at + 1) * batchSize),
  );
}

async function send(sender: Sender, batch: Item[]): Promise<void> {
  const { refusals } = await sender.send({
    kind: "bench.assign",
    contract: "DockerContract",
    functionName: "assign",
    args: [batch],
  });
  if (refusals.length > 0) throw new Error(`A placement reverted: ${refusals[0]?.error.text}`);
}
