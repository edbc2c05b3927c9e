import { createPool } from "@ngpu/db/pool";
import { decideByIndex } from "@ngpu/placement/decideByIndex";
import { strategyOf } from "@ngpu/placement/preferences";
import { readWanted } from "@ngpu/queries/wanted";
import { createSender, type Sender } from "@ngpu/tx-sender/send";
import { createFleetSync } from "../../../services/match/scheduling/fleetSync.ts";
import { eventually } from "../../services/support/context.ts";
import { accounts } from "../../services/workspace/chain.ts";
import { addNode, fund, type Published, publish } from "../../services/workspace/chainActions.ts";
import { openMarket, type TestMarket } from "../../services/workspace/market.ts";

/** Placements in one transaction, as dispense sends them, and transactions under way at once. */
const batchSize = 50;
const inProgress = 4;
/** An authorization's rate is enough for so many replicas. */
const replicasEach = 100;
const roomEach = 50;

type Item = { workspaceId: bigint; replica: number; nodeId: number; start: boolean; spec: Published["spec"] };

/**
 * Placements a second from choosing to a row in Postgres: chosen by the index over the fleet as exported, sent in batches of
 * `assign` to a chain with the real contracts, exported by autoExport, and read in schema chain.
 *
 * @param placements Rounded up to whole workspaces.
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

/** Nodes with room for all replicas of the workspaces, and the workspaces. */
async function fill({ chain, exported }: TestMarket, count: number): Promise<Published[]> {
  for (let node = 0; node < Math.ceil((count * replicasEach) / roomEach); node += 1) {
    await addNode(chain, `bench ${node}`, roomEach);
  }
  const workspaces: Published[] = [];
  for (let at = 0; at < count; at += 1) {
    const authorizationId = await fund(chain, 1_000_000n);
    workspaces.push(await publish(chain, { authorizationId, replicas: replicasEach }));
  }
  await exported();
  return workspaces;
}

/** Chooses as match does, one replica after the other. */
async function choose({ pool }: TestMarket, workspaces: Published[]): Promise<Item[]> {
  const { block, index } = await createFleetSync(pool)();
  const items: Item[] = [];
  for (const { workspaceId, spec } of workspaces) {
    const wanted = await readWanted(pool, { workspace_id: workspaceId, excluded: [] }, block);
    if (wanted === undefined) throw new Error(`Workspace ${workspaceId} is not open.`);
    const request = { ...wanted.request, position: 0 };
    for (let replica = 0; replica < replicasEach; replica += 1) {
      const decision = decideByIndex(index, request, strategyOf(wanted.preferences));
      if (decision.type === "impossible") throw new Error("There is room for all.");
      index.reserve(decision.nodeId, request);
      items.push({ workspaceId, replica, nodeId: decision.nodeId, start: true, spec });
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
  if (refusals.length > 0) throw new Error(`The chain refused a placement: ${refusals[0]?.error.text}`);
}
