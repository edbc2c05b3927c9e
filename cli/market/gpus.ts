import type { Schema } from "@ngpu/api-client/client";
import { json, print, safe } from "../shared/output.ts";
import { apiOf, type GlobalOptions, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { hourly } from "../shared/units.ts";

type Node = Schema<"Node">;

const columns = [
  { title: "GPU", cut: true },
  { title: "MEM GiB", right: true },
  { title: "NODES", right: true },
  { title: "FREE", right: true },
  { title: "TOTAL", right: true },
  { title: "NGPU/H FROM", right: true },
  { title: "TO", right: true },
  { title: "REGIONS", cut: true },
];

/** Lists the GPU models of nodes that are online. A price is that of a whole node. */
export async function listGpus(options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const nodes: Node[] = [];
  for await (const node of apiOf(settings).list("GET /v1/nodes", { query: { limit: 200 } })) {
    if (node.status === "online" && node.gpu.count > 0) nodes.push(node);
  }
  const models = [...Map.groupBy(nodes, ({ gpu }) => `${gpu.name} ${gpu.vramMib}`).values()]
    .map(modelOf)
    .sort((a, b) => (a.lowestPrice < b.lowestPrice ? -1 : 1));
  if (settings.json) return print(json(models));
  const rows = models.map((model) => [
    safe(model.name),
    String(Math.round(model.vramMib / 1024)),
    String(model.nodes),
    String(model.free),
    String(model.total),
    hourly(model.lowestPrice),
    hourly(model.highestPrice),
    model.regions.join(" "),
  ]);
  print(table(columns, rows));
}

function modelOf(nodes: Node[]) {
  const sum = (of: (node: Node) => number) => nodes.reduce((total, node) => total + of(node), 0);
  const prices = nodes.map(({ pricePerSecond }) => BigInt(pricePerSecond)).sort((a, b) => (a < b ? -1 : 1));
  return {
    name: nodes[0]?.gpu.name ?? "",
    vramMib: nodes[0]?.gpu.vramMib ?? 0,
    nodes: nodes.length,
    free: sum(({ free }) => free.gpus),
    total: sum(({ total }) => total.gpus),
    lowestPrice: prices[0] ?? 0n,
    highestPrice: prices.at(-1) ?? 0n,
    regions: [...new Set(nodes.flatMap(({ region }) => region ?? []))].sort(),
  };
}
