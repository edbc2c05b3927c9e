import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { marketSummary } from "../schemas/marketSummary.ts";
import {
  listHeads,
  listModels,
  listRegions,
  type ModelRow,
  newestTotal,
  readTotals,
  readWorkspaceTotals,
} from "../store/marketSummary.ts";
import { newestPresence } from "../store/presence.ts";

/** How long a summary is served, in ms: however many pages ask, the database computes it this often. */
const summaryAge = 2_000;
/** Number of newest heartbeat slots in the summary. */
const summarySlots = 120;

export function marketSummaryRoutes(deps: ApiDeps): Endpoint[] {
  const summary = shared(() => readSummary(deps));
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/market",
        tag: "Market",
        summary: "Show the market at a glance",
        description:
          "Nodes, GPUs, prices, regions and presence in figures. The answer is at most two seconds old.",
        access: "public",
        answer: marketSummary,
      },
      summary,
    ),
  ];
}

/** One computation for everybody who asks within a time. A failure is not kept. */
function shared<Result>(compute: () => Promise<Result>): () => Promise<Result> {
  let known: { at: number; result: Promise<Result> } | undefined;
  return () => {
    if (known !== undefined && performance.now() - known.at < summaryAge) return known.result;
    const begun = { at: performance.now(), result: compute() };
    known = begun;
    begun.result.catch(() => {
      if (known === begun) known = undefined;
    });
    return begun.result;
  };
}

async function readSummary({ db, deployment }: ApiDeps) {
  const [totals, models, regions, workspaces, heads, presence, granted] = await Promise.all([
    readTotals(db),
    listModels(db),
    listRegions(db),
    readWorkspaceTotals(db),
    listHeads(db),
    newestPresence(db, summarySlots),
    newestTotal(db),
  ]);
  const { slotSeconds, epochSeconds, genesis } = deployment.parameters;
  const { total, online, maintenance, offline, connected, measured } = totals;
  return {
    nodes: { total, online, maintenance, offline, connected, measured },
    gpus: { total: totals.gpus, free: totals.free_gpus },
    cpu: { total: totals.cpu_milli / 1000, free: totals.free_cpu_milli / 1000 },
    memoryMib: { total: totals.memory_mib, free: totals.free_memory_mib },
    workspaces,
    models: models.map(modelOf),
    regions,
    presence: presence.map((one) => ({ ...one, startsAt: one.slot * slotSeconds })),
    granted: String(granted),
    heads: heads.map(({ tier, block, time }) => ({ tier, block, time: time.toISOString() })),
    periods: { slotSeconds, epochSeconds, genesis },
  };
}

function modelOf(row: ModelRow) {
  return {
    name: row.name,
    vramMib: row.vram_mib,
    nodes: row.nodes,
    online: row.online,
    gpus: row.gpus,
    freeGpus: row.free_gpus,
    lowestPrice: row.lowest_price === null ? null : String(row.lowest_price),
    medianPrice: row.median_price === null ? null : String(row.median_price),
  };
}
