import type { WaveOrder } from "@ngpu/protocol/waves";
import type Docker from "dockerode";
import type { Engine } from "../docker/engine.ts";
import { sandbox, userOf } from "../docker/sandbox.ts";
import { accessTo, type WaveDevice } from "./devices.ts";

const probePort = "8080/tcp";
const mebibyte = 2n ** 20n;
/** Memory beside a CPU's claim: the server, the compiler of the kernels, and the trees. */
const spareMib = 1_024;
/** Memory of the host that one GPU's prover needs. */
const gpuMib = 1_024;
/** Weight in the CPU's queue, the least that the engine has: a tenant's is 128. */
const cpuShares = 2;
/**
 * CPU that one GPU's prover gets at most: it launches kernels and waits for them, beside tenants of other GPUs. A CPU is
 * challenged as a whole, since it is never challenged beside a tenant.
 */
const gpuCpuMilli = 250;

/** What the container of a wave is for. Without a port nobody reaches it: the client itself measures the devices. */
export type WaveContainerOrder = Pick<WaveOrder, "image" | "token" | "claims" | "closesAt"> & {
  label: string;
  port: number | undefined;
};

export type WaveContainerOptions = {
  order: WaveContainerOrder;
  devices: readonly WaveDevice[];
  /** The image's own user. */
  user: string | undefined;
  cpuMilli: number;
  /** By which this client puts its answers. */
  driverToken: string;
};

/** The probe's container of a wave: the sandbox of tenants, with the devices as a tenant has them. */
export function waveContainer(
  engine: Engine,
  { order, devices, user, cpuMilli, driverToken }: WaveContainerOptions,
): Docker.ContainerCreateOptions {
  const access = accessTo(devices);
  const { gpuUuids } = access;
  return {
    name: `ngpu-${engine.market}-${engine.node.slice(2, 10)}-wave-${order.label}`,
    Image: order.image,
    User: userOf(user),
    Env: [
      `PROBE_TOKEN=${order.token}`,
      `PROBE_DRIVER_TOKEN=${driverToken}`,
      "HOME=/tmp",
      // Compiled kernels are loaded as libraries, which /tmp does not allow.
      "POCL_CACHE_DIR=/data/kernels",
      `NVIDIA_VISIBLE_DEVICES=${gpuUuids.length > 0 ? gpuUuids.join(",") : "void"}`,
      "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    ],
    ExposedPorts: { [probePort]: {} },
    Labels: {
      "ngpu.market": engine.market,
      "ngpu.node": engine.node,
      "ngpu.wave": order.label,
      "ngpu.expires": String(order.closesAt),
    },
    HostConfig: {
      ...sandbox({
        memoryMib: memoryOf(order, devices),
        cpuMilli: devices.some(({ kind }) => kind === "cpu") ? cpuMilli : gpuCpuMilli * devices.length,
        pids: 512,
        tmpMib: 64,
      }),
      CpuShares: cpuShares,
      ...(order.port !== undefined && {
        PortBindings: { [probePort]: [{ HostIp: "0.0.0.0", HostPort: String(order.port) }] },
      }),
      Mounts: [{ Type: "volume", Target: "/data", Source: "" }],
      ...(gpuUuids.length > 0 && {
        DeviceRequests: [{ Driver: "nvidia", DeviceIDs: gpuUuids, Capabilities: [["gpu"]] }],
      }),
      ...(access.devices.paths.length > 0 && {
        Devices: access.devices.paths.map((path) => ({
          PathOnHost: path,
          PathInContainer: path,
          CgroupPermissions: "rw",
        })),
        GroupAdd: access.devices.groups,
      }),
    },
  };
}

/** A CPU's claim is memory of the container itself. */
function memoryOf({ claims }: WaveContainerOrder, devices: readonly WaveDevice[]): number {
  const ofCpu = devices.find(({ kind }) => kind === "cpu");
  const claimed = claims.find(({ device }) => device === ofCpu?.device)?.bytes ?? 0n;
  return Number(claimed / mebibyte) + spareMib + gpuMib * devices.length;
}
