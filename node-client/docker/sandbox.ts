import { leastResources } from "@ngpu/protocol/leastResources";
import { secretsFolder } from "@ngpu/protocol/secrets";
import type Docker from "dockerode";
import type { Assignment } from "../leases.ts";
import type { Plan } from "../reconcileFacts.ts";
import type { ContainerSecrets } from "../secrets/leaseSecrets.ts";
import type { Engine } from "./engine.ts";
import { seccompProfile } from "./seccomp.ts";
import { memoryVolumes, quotaVolumes } from "./volumes.ts";

type Runnable = Extract<Plan, { type: "runnable" }>;

/** The user of images that would run as root: no workspace needs root, and an exploited one gains less. */
export const nobody = "65534:65534";
const mebibyte = 2 ** 20;
/** Most processes and threads of a lease. */
const maxProcesses = 512;
/** Between SIGTERM and SIGKILL. */
const stopSeconds = 10;

/** `ngpu-<market>-<workspaceId>-<replica>-<lease>-<fence>`: the engine rejects a second container of the same name. */
export function containerName(engine: Engine, lease: Assignment): string {
  const { workspaceId, replica, lease: number, fence } = lease;
  return `ngpu-${engine.market}-${workspaceId}-${replica}-${number}-${fence.slice(2)}`;
}

/** The limits of every container: no privileges, no capabilities, a read-only root, bounded resources. */
export function sandbox(limits: { memoryMib: number; cpuMilli: number; pids: number; tmpMib: number }) {
  const memory = Math.max(leastResources.memoryMib, limits.memoryMib) * mebibyte;
  return {
    Privileged: false,
    CapDrop: ["ALL"],
    SecurityOpt: ["no-new-privileges", `seccomp=${seccompProfile}`],
    ReadonlyRootfs: true,
    Tmpfs: { "/tmp": `rw,nosuid,nodev,mode=1777,size=${limits.tmpMib}m` },
    Memory: memory,
    MemorySwap: memory,
    NanoCpus: Math.max(leastResources.cpuMilli, limits.cpuMilli) * 1_000_000,
    PidsLimit: limits.pids,
    // The client and the host go first, in the CPU's queue and when memory runs out.
    CpuShares: 128,
    OomScoreAdj: 500,
    // A core dump would be written by the host, outside every limit.
    Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }],
    Init: true,
    // The client decides about restarts: the engine would restart the container of an ended lease.
    RestartPolicy: { Name: "no" },
    LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
  } satisfies Docker.HostConfig;
}

/** The user that an image names, unless that is root. A name may still stand for root in its /etc/passwd. */
export function userOf(imageUser: string | undefined): string {
  const [user = ""] = (imageUser ?? "").split(":");
  // The engine reads a number with a sign or leading zeros as an id.
  const isRoot = user === "" || user === "root" || (/^[+-]?\d+$/.test(user) && Number(user) === 0);
  return isRoot ? nobody : (imageUser ?? nobody);
}

type ContainerOptions = {
  lease: Assignment;
  plan: Runnable;
  gpuUuids: string[];
  /** Device files of those GPUs that the engine's NVIDIA runtime does not hand over. */
  devices?: { paths: string[]; groups: string[] };
  /** Id of the network of workspaces. */
  network: string;
  /** As `resolveUser` returns it. */
  user: string;
  /** Paths of the image's volumes, and where they are. */
  volumes?: { paths: string[]; storage: "disk" | "memory" };
  /** Default: none. */
  secrets?: ContainerSecrets;
};

/** The engine's description of a workspace's container. */
export function workspaceContainer(engine: Engine, options: ContainerOptions): Docker.ContainerCreateOptions {
  const { lease, plan, gpuUuids } = options;
  const ports = plan.config.ports.map((port) => `${port}/tcp`);
  return {
    name: containerName(engine, lease),
    Image: plan.reference,
    User: options.user,
    Env: Object.entries({
      HOME: "/tmp",
      ...plan.config.env,
      ...options.secrets?.env,
      ...visibleGpus(options),
    }).map(([name, value]) => `${name}=${value}`),
    // The command replaces the image's entrypoint and its arguments.
    ...(plan.config.command?.length && { Entrypoint: plan.config.command, Cmd: [] }),
    ExposedPorts: Object.fromEntries(ports.map((port) => [port, {}])),
    StopTimeout: stopSeconds,
    // The engine would run an image's own check on the host's account, as often as the image says.
    Healthcheck: { Test: ["NONE"] },
    Labels: labelsOf(engine, options),
    HostConfig: {
      ...limitsOf(options),
      NetworkMode: options.network,
      ShmSize: Math.max(64, Math.floor(plan.memoryMib / 4)) * mebibyte,
      // On loopback: the tunnel reaches these ports, other machines do not.
      PortBindings: Object.fromEntries(ports.map((port) => [port, [{ HostIp: "127.0.0.1", HostPort: "" }]])),
      ...gpuAccess(gpuUuids, options.devices),
    },
  };
}

/** What the client reads from its containers after a restart. */
function labelsOf(engine: Engine, { lease, plan, gpuUuids }: ContainerOptions): Record<string, string> {
  return {
    "ngpu.market": engine.market,
    "ngpu.node": engine.node,
    "ngpu.workspace": String(lease.workspaceId),
    "ngpu.replica": String(lease.replica),
    "ngpu.lease": String(lease.lease),
    "ngpu.fence": lease.fence,
    "ngpu.port": String(plan.config.ports[0]),
    "ngpu.gpus": gpuUuids.join(","),
  };
}

/** The limits of a lease's container, with the mounts of its image's volumes. */
function limitsOf({ plan, volumes, secrets }: ContainerOptions): Docker.HostConfig {
  const { paths, storage } = volumes ?? { paths: [], storage: "memory" };
  const limits = sandbox({
    memoryMib: plan.memoryMib,
    cpuMilli: plan.cpuMilli,
    pids: maxProcesses,
    tmpMib: Math.max(16, Math.floor(plan.memoryMib / 2)),
  });
  const files = secretMounts(secrets?.folder);
  if (storage === "disk") {
    const { Mounts = [] } = quotaVolumes(paths, plan);
    return { ...limits, Mounts: [...Mounts, ...files] };
  }
  const Tmpfs = { ...limits.Tmpfs, ...memoryVolumes(paths, plan) };
  return { ...limits, Tmpfs, ...(files.length > 0 && { Mounts: files }) };
}

/** The files of a lease's secrets, which are in this machine's memory. */
function secretMounts(folder: string | undefined): Docker.MountSettings[] {
  if (folder === undefined) return [];
  return [{ Type: "bind", Source: folder, Target: secretsFolder, ReadOnly: true }];
}

/**
 * The GPUs that NVIDIA's runtime hands over. Where it is the engine's default, it reads this variable of every container, and many
 * images set it to `all`.
 */
function visibleGpus({ gpuUuids, devices }: ContainerOptions): Record<string, string> {
  const isNvidia = gpuUuids.length > 0 && (devices?.paths.length ?? 0) === 0;
  return { NVIDIA_VISIBLE_DEVICES: isNvidia ? gpuUuids.join(",") : "void" };
}

/** Access to the GPUs of a lease and to no other: by UUID for NVIDIA's, by device files for others, without `mknod`. */
function gpuAccess(
  gpuUuids: string[],
  devices = { paths: [] as string[], groups: [] as string[] },
): Docker.HostConfig {
  if (gpuUuids.length === 0) return {};
  if (devices.paths.length === 0) {
    return { DeviceRequests: [{ Driver: "nvidia", DeviceIDs: gpuUuids, Capabilities: [["gpu"]] }] };
  }
  return {
    Devices: devices.paths.map((path) => ({
      PathOnHost: path,
      PathInContainer: path,
      CgroupPermissions: "rw",
    })),
    GroupAdd: devices.groups,
  };
}
