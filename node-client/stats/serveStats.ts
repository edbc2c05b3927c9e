import { InputError } from "@ngpu/runtime/errors";
import { toJson } from "@ngpu/runtime/json";
import { calling } from "../docker/engine.ts";
import { accept, type NodeRequest } from "../nodeRequest.ts";
import { readGpuStats } from "./gpuStats.ts";
import { statsOf } from "./statsOf.ts";

/** Sends what a lease's container uses. The engine reads it twice, about a second apart. */
export async function serveStats({ stream, current, deps }: NodeRequest): Promise<void> {
  const container = current()?.container;
  if (container?.status !== "running") {
    throw new InputError("The container does not run.", {
      code: "container_not_running",
      hint: "Start the replica first.",
    });
  }
  const { docker } = deps.engine;
  const handle = docker.getContainer(container.id);
  const [reading, { HostConfig: limits }, gpus] = await Promise.all([
    calling(docker, () => handle.stats({ stream: false })),
    calling(docker, () => handle.inspect()),
    readGpuStats(container.gpuUuids),
  ]);
  accept(stream, "application/json");
  stream.end(toJson(statsOf(reading, { nanoCpus: limits.NanoCpus ?? 0 }, gpus)));
}
