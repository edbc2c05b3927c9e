import type { Schema } from "@ngpu/api-client/client";
import { json, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { hourly } from "../shared/units.ts";
import { findWorkspace } from "./find.ts";

type Workspace = Schema<"Workspace">;
type Replica = Workspace["replicaList"][number];

/** Prints a workspace, its replicas, and why they do not run. */
export async function describeWorkspace(given: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  const id = await findWorkspace(api, given);
  const workspace = await api.call("GET /v1/workspaces/{id}", { path: { id } });
  print(settings.json ? json(workspace) : workspaceText(workspace));
}

function workspaceText(workspace: Workspace): string {
  const { id, name, status, reason, replicas, replicaList } = workspace;
  return [
    `Workspace ${id}${name === null ? "" : ` (${name})`}: ${status}, ${replicas.running} of ${replicas.wanted} replicas run.`,
    ...(reason === null ? [] : reasonLines(reason)),
    ...replicaList.map(replicaLine),
    "",
    table([{ title: "" }, { title: "", cut: true }], factsOf(workspace)).trimStart(),
    ...placementTable(replicaList),
  ].join("\n");
}

/** A reason with its hint, its facts and the container's output. */
export function reasonLines({ code, message, hint, details, since }: Schema<"Reason">): string[] {
  const { log, ...facts } = details;
  return [
    `${message} (${code}, since ${since})`,
    hint,
    ...Object.entries(facts).map(([fact, value]) => `  ${fact}: ${valueText(value)}`),
    ...(typeof log === "string" && log !== ""
      ? ["  output:", ...log.split("\n").map((line) => `    ${line}`)]
      : []),
  ];
}

/** The API's texts have no control characters besides tabs and line feeds. */
const valueText = (value: unknown) =>
  typeof value === "string" ? value.replaceAll("\n", "\n    ") : JSON.stringify(value);

const replicaLine = ({ replica, node, reason }: Replica) =>
  `Replica ${replica}${node === null ? "" : ` on node ${node.id}`}: ${reason === null ? "runs." : `${reason.message} (${reason.code})`}`;

function factsOf(workspace: Workspace): string[][] {
  const { gpu, image, policy, expiresAt, region } = workspace;
  const model = gpu.model ?? "any model";
  return [
    ["Image:", image],
    ["GPU:", gpu.count === 0 ? "none" : `${gpu.count} of ${model}`],
    ["CPU:", `${workspace.cpu} cores, ${workspace.memoryMib} MiB memory, ${workspace.diskGib} GiB disk`],
    ["Maximum price:", `${hourly(workspace.maxPricePerSecond)} NGPU an hour for each replica`],
    ["Policy:", `${policy}, grace ${workspace.graceSeconds} s`],
    ["Region:", region ?? "any"],
    ["Expires:", expiresAt ?? "never"],
    ["Published:", `block ${workspace.published.block}, ${workspace.published.txHash}`],
  ];
}

function placementTable(replicas: readonly Replica[]): string[] {
  const placed = replicas.filter(({ lease }) => lease !== null);
  if (placed.length === 0) return [];
  const columns = ["REPLICA", "LEASE", "NODE", "REGION", "STATE", "PRICE/H", "ENDPOINTS", "PLACEMENT"].map(
    (title) => ({ title, cut: title === "ENDPOINTS" || title === "PLACEMENT" }),
  );
  const rows = placed.map(({ replica, lease, node, state, pricePerSecond, endpoints, placement }) => [
    String(replica),
    String(lease),
    String(node?.id ?? ""),
    node?.region ?? "",
    state ?? "",
    pricePerSecond === null ? "" : hourly(pricePerSecond),
    endpoints.map(({ containerPort, host, port }) => `${containerPort}→${host}:${port}`).join(" "),
    placement?.id ?? "",
  ]);
  return ["", table(columns, rows)];
}
