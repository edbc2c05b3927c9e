import type { ApiClient, Schema } from "@ngpu/api-client/client";
import { ApiError } from "@ngpu/api-client/errors";
import { json, note, print } from "../shared/output.ts";
import { type GlobalOptions, partnerApi, settingsOf } from "../shared/settings.ts";
import { table } from "../shared/table.ts";
import { findWorkspace } from "./find.ts";

type Stats = Schema<"ReplicaStats">;

/** Prints what the replicas of a workspace use now. */
export async function showUse(given: string, options: GlobalOptions): Promise<void> {
  const settings = settingsOf(options);
  const api = partnerApi(settings);
  const id = await findWorkspace(api, given);
  const { replicaList } = await api.call("GET /v1/workspaces/{id}", { path: { id } });
  const placed = replicaList.filter(({ node }) => node !== null).map(({ replica }) => replica);
  const found = await Promise.all(placed.map((replica) => useOf(api, id, replica)));
  const stats = found.filter((one) => one !== undefined);
  if (settings.json) for (const one of stats) print(json(one));
  else if (stats.length > 0) print(useTable(stats));
  if (stats.length === 0) note("No replica runs; ngpu describe says why.");
}

/** Undefined: the replica does not run, which a note says. */
async function useOf(api: ApiClient, id: string, replica: number): Promise<Stats | undefined> {
  try {
    const query = { replica: String(replica) };
    return await api.call("GET /v1/workspaces/{id}/stats", { path: { id }, query });
  } catch (error) {
    if (!(error instanceof ApiError) || ![409, 501, 502, 503].includes(error.status)) throw error;
    note(`Replica ${replica}: ${error.message} (${error.code})`);
    return undefined;
  }
}

function useTable(stats: readonly Stats[]): string {
  const columns = ["REPLICA", "NODE", "CPU", "MEMORY", "DISK R/W", "NETWORK IN/OUT", "GPU"].map((title) => ({
    title,
  }));
  return table(
    columns,
    stats.map(({ replica, nodeId, cpu, memory, disk, network, gpus }) => [
      String(replica),
      String(nodeId),
      cpu.limit === null ? String(cpu.cores) : `${cpu.cores} of ${cpu.limit}`,
      `${size(memory.bytes)} of ${size(memory.limitBytes)}`,
      `${size(disk.readBytes)} / ${size(disk.writtenBytes)}`,
      `${size(network.receivedBytes)} / ${size(network.sentBytes)}`,
      gpus.length === 0 ? "none" : gpus.map(gpuText).join(", "),
    ]),
  );
}

const gpuText = ({ percent, memoryBytes }: Stats["gpus"][number]) =>
  percent === null ? "?" : `${percent}%${memoryBytes === null ? "" : ` ${size(memoryBytes)}`}`;

/** Bytes in the largest unit of which there is one. */
function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}
