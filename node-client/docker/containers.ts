import { RetryableError } from "@ngpu/runtime/errors";
import type Docker from "dockerode";
import type { Hex } from "viem";
import type { Container } from "../reconcileFacts.ts";
import type { Bridge } from "../walls/rules.ts";
import { calling, type Engine, tolerating } from "./engine.ts";

/** What a container of this client is for: it runs a lease, a probe or a wave's proof, gives files of an image, or sets up the firewall. */
type Purpose = "workspace" | "probe" | "wave" | "inspected" | "walls";

/** Every container of this node that belongs to a workspace, running or not. */
export async function listContainers(engine: Engine): Promise<Container[]> {
  const found = await inspectOwn(engine, "workspace");
  return found.map(containerOf);
}

/** Every container of this node for a purpose. A container has its image's labels, which may be any: the client's name decides. */
export async function inspectOwn(engine: Engine, purpose: Purpose): Promise<Docker.ContainerInspectInfo[]> {
  const found = await inspectLabelled(engine, [`ngpu.${purpose}`]);
  return found.filter(({ Name }) => purposeOf(engine, Name) === purpose);
}

function purposeOf({ market }: Engine, name: string): Purpose {
  const [program, own, , what] = name.replace(/^\//, "").split("-");
  if (program !== "ngpu" || own !== market) return "walls";
  return what === "probe" || what === "wave" || what === "inspected" ? what : "workspace";
}

/** Every container of this node with these labels, as the engine describes it. */
export async function inspectLabelled(
  engine: Engine,
  labels: string[],
): Promise<Docker.ContainerInspectInfo[]> {
  const { docker } = engine;
  const label = [`ngpu.market=${engine.market}`, `ngpu.node=${engine.node}`, ...labels];
  const list = await calling(docker, () => docker.listContainers({ all: true, filters: { label } }));
  const found = await Promise.all(
    list.map(({ Id }) =>
      // It may have been removed since it was listed.
      tolerating([404], undefined, () => calling(docker, () => docker.getContainer(Id).inspect())),
    ),
  );
  return found.filter((info) => info !== undefined);
}

/** Creates a container. An existing one of the same name is used instead. @returns The container's id. */
export async function createContainer(
  engine: Engine,
  options: Docker.ContainerCreateOptions,
): Promise<string> {
  const { docker } = engine;
  const made = await tolerating([409], undefined, () =>
    calling(docker, () => docker.createContainer(options)),
  );
  if (made !== undefined) return made.id;
  return (await calling(docker, () => docker.getContainer(options.name ?? "").inspect())).Id;
}

/** Starts a container. Does nothing if it is running. */
export async function startContainer(engine: Engine, id: string): Promise<void> {
  await tolerating([304], undefined, () =>
    calling(engine.docker, () => engine.docker.getContainer(id).start()),
  );
}

/** Sends SIGTERM, then SIGKILL after `seconds`. Does nothing if the container is stopped or gone. */
export async function stopContainer(engine: Engine, id: string, seconds = 10): Promise<void> {
  await tolerating([304, 404], undefined, () =>
    calling(engine.docker, () => engine.docker.getContainer(id).stop({ t: seconds })),
  );
}

/** Removes a container and its volumes. Does nothing if it is gone or being removed. */
export async function removeContainer(engine: Engine, id: string): Promise<void> {
  await tolerating([404, 409], undefined, () =>
    calling(engine.docker, () => engine.docker.getContainer(id).remove({ v: true, force: true })),
  );
}

/** The network of the workspaces of all markets on the engine: an engine has addresses for only a few dozen networks. */
export const networkName = "ngpu";

/** The network of workspaces: its id, which containers name, and what its firewall needs to know. */
export type WorkspaceNetwork = { id: string; bridge: Bridge };

/** The searches for the network that are in progress. */
const ensuring = new WeakMap<Engine, Promise<WorkspaceNetwork>>();

/**
 * Creates the network of workspaces. Containers on it cannot reach each other. Leases that start at the same time share one
 * creation: forty networks at once would take all addresses that the engine has for networks.
 *
 * @returns The network. A container that names it instead of its id cannot start while there are several.
 */
export function ensureNetwork(engine: Engine): Promise<WorkspaceNetwork> {
  const present = ensuring.get(engine);
  if (present !== undefined) return present;
  const search = findOrCreateNetwork(engine).finally(() => ensuring.delete(engine));
  ensuring.set(engine, search);
  return search;
}

/**
 * The engine does not keep names unique: of several networks, which clients that create one at the same time leave, the oldest is
 * used and the others are removed.
 */
async function findOrCreateNetwork(engine: Engine): Promise<WorkspaceNetwork> {
  const { docker } = engine;
  const found = await namedNetworks(engine);
  if (found.length === 0) {
    await tolerating([409], undefined, () =>
      calling(docker, () =>
        docker.createNetwork({
          Name: networkName,
          Driver: "bridge",
          CheckDuplicate: true,
          Options: { "com.docker.network.bridge.enable_icc": "false" },
        }),
      ),
    );
  }
  const [oldest, ...others] = found.length === 1 ? found : await namedNetworks(engine);
  for (const { Id } of others) await removeUnused(engine, Id);
  if (oldest !== undefined) return networkOf(oldest);
  throw new RetryableError(`The network ${networkName} was removed while it was created.`, {
    code: "engine_failed",
    hint: "See the engine's log: journalctl -u docker",
  });
}

/** The network of workspaces; undefined before the first lease. */
export async function findNetwork(engine: Engine): Promise<WorkspaceNetwork | undefined> {
  const [oldest] = await namedNetworks(engine);
  return oldest === undefined ? undefined : networkOf(oldest);
}

function networkOf({ Id, Options, IPAM }: Docker.NetworkInspectInfo): WorkspaceNetwork {
  const name = Options?.["com.docker.network.bridge.name"] ?? `br-${Id.slice(0, 12)}`;
  const subnets = (IPAM?.Config ?? []).flatMap(({ Subnet = "" }) => (Subnet.includes(".") ? Subnet : []));
  return { id: Id, bridge: { name, subnets } };
}

/** Removes the network of workspaces, unless a container is on it. */
export async function removeNetwork(engine: Engine): Promise<void> {
  for (const { Id } of await namedNetworks(engine)) await removeUnused(engine, Id);
}

async function removeUnused({ docker }: Engine, id: string): Promise<void> {
  await tolerating([403, 404, 409], undefined, () => calling(docker, () => docker.getNetwork(id).remove()));
}

/** The networks of that name, the oldest first. */
async function namedNetworks({ docker }: Engine): Promise<Docker.NetworkInspectInfo[]> {
  const found = await calling(docker, () => docker.listNetworks({ filters: { name: [networkName] } }));
  return found
    .filter((network) => network.Name === networkName)
    .sort((a, b) => a.Created.localeCompare(b.Created) || a.Id.localeCompare(b.Id));
}

function containerOf(info: Docker.ContainerInspectInfo): Container {
  const { Labels: labels } = info.Config;
  const ports = portsOf(info);
  return {
    id: info.Id,
    workspaceId: BigInt(labels["ngpu.workspace"] ?? 0),
    replica: Number(labels["ngpu.replica"]),
    lease: Number(labels["ngpu.lease"]),
    fence: (labels["ngpu.fence"] ?? "0x") as Hex,
    status: statusOfState(info.State),
    exitCode: info.State.ExitCode,
    oomKilled: info.State.OOMKilled === true,
    error: info.State.Error ?? "",
    startedAt: timeOf(info.State.StartedAt),
    finishedAt: timeOf(info.State.FinishedAt),
    ports,
    servedPort: ports[Number(labels["ngpu.port"])],
    gpuUuids: (labels["ngpu.gpus"] ?? "").split(",").filter((uuid) => uuid !== ""),
  };
}

function statusOfState(state: Docker.ContainerInspectInfo["State"]): Container["status"] {
  switch (state.Status) {
    case "created":
      return "created";
    case "removing":
      return "removing";
    case "exited":
    case "dead":
      return "exited";
    // Paused and restarting containers hold the resources of a running one.
    default:
      return "running";
  }
}

/** Host port by container port. */
export function portsOf(info: Docker.ContainerInspectInfo): Record<number, number> {
  const mapped = Object.entries(info.NetworkSettings.Ports ?? {}).flatMap(([name, bindings]) => {
    const port = Number(bindings?.[0]?.HostPort);
    return Number.isInteger(port) && port > 0 ? [[Number.parseInt(name, 10), port] as const] : [];
  });
  return Object.fromEntries(mapped);
}

/** Unix time in milliseconds; 0 for the engine's year 1, which means never. */
function timeOf(text: string): number {
  const time = Date.parse(text);
  return Number.isFinite(time) && time > 0 ? time : 0;
}
