import type { Schema } from "@ngpu/api-client/client";
import type { ResultOf } from "@ngpu/api-client/routes";
import { json, print, safe, status } from "../shared/output.ts";
import { apiOf, type GlobalOptions, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { hourly } from "../shared/units.ts";

type Node = Schema<"Node">;

const columns = [
  { title: "NODE", right: true },
  { title: "STATUS" },
  { title: "REGION" },
  { title: "GPU", cut: true },
  { title: "FREE", right: true },
  { title: "CPU", right: true },
  { title: "MEM GiB", right: true },
  { title: "DISK GiB", right: true },
  { title: "NGPU/H", right: true },
];

/** Lists compute nodes: free of total GPUs, and what of the rest is free. */
export async function listNodes(options: GlobalOptions & { all?: boolean }): Promise<void> {
  const settings = settingsOf(options);
  const rows: string[][] = [];
  for await (const node of apiOf(settings).list("GET /v1/nodes", { query: { limit: 200 } })) {
    if (options.all !== true && node.status !== "online") continue;
    if (settings.json) print(json(node));
    else rows.push(rowOf(node));
  }
  if (!settings.json) print(table(columns, rows));
}

function rowOf({ id, status: state, region, gpu, free, total, pricePerSecond }: Node): string[] {
  return [
    String(id),
    status(state),
    region ?? "",
    gpu.name === null ? "" : safe(gpu.name),
    `${free.gpus}/${total.gpus}`,
    String(free.cpu),
    String(Math.floor(free.memoryMib / 1024)),
    String(free.diskGib),
    hourly(pricePerSecond),
  ];
}

/** Shows a node. */
export async function showNode(id: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const node = await apiOf(settings).call("GET /v1/nodes/{id}", { path: { id } });
  print(settings.json ? json(node) : nodeText(node));
}

function nodeText(node: ResultOf<"GET /v1/nodes/{id}">): string {
  const { gpu, total, free, measurement, uptime, session } = node;
  const share =
    uptime.share === null ? "none yet" : `${(100 * uptime.share).toFixed(1)}% of ${uptime.slots} slots`;
  const measured =
    measurement === null
      ? "never"
      : `${measurement.downMbps} Mbit/s down, ${measurement.upMbps} up, ${measurement.latencyMs} ms`;
  const lines: [string, string][] = [
    ["Status", `${node.status}${node.connected ? ", connected to a gateway" : ""}`],
    ["Region", node.region ?? "unknown"],
    ["GPU", gpu.count === 0 ? "none" : `${gpu.count} of ${safe(gpu.name ?? "")}, ${gpu.vramMib} MiB each`],
    [
      "Free",
      `${free.gpus} GPUs, ${free.cpu} cores, ${free.memoryMib} MiB, ${free.diskGib} GiB, ${free.ports} ports`,
    ],
    [
      "Total",
      `${total.gpus} GPUs, ${total.cpu} cores, ${total.memoryMib} MiB, ${total.diskGib} GiB, ${total.ports} ports`,
    ],
    ["Price", `${hourly(node.pricePerSecond)} NGPU an hour`],
    ["Measured", measured],
    ["Uptime", share],
    ["Wallet", node.wallet ?? node.key],
    ...(session?.sickGpus ?? []).map(({ code, id: card, detail }): [string, string] => [
      "Sick GPU",
      safe(`${card}: ${detail} (${code})`),
    ]),
  ];
  return [`Node ${node.id}`, ...lines.map(([name, value]) => `${`${name}:`.padEnd(10)} ${value}`)].join("\n");
}
