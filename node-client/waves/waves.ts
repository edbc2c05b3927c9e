import { randomBytes } from "node:crypto";
import type { ChainClient } from "@ngpu/chain-reader/client";
import type { WaveOrder } from "@ngpu/protocol/waves";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import {
  createContainer,
  inspectOwn,
  listContainers,
  removeContainer,
  startContainer,
} from "../docker/containers.ts";
import type { Engine } from "../docker/engine.ts";
import { findImage } from "../docker/images.ts";
import type { Gpu } from "../probe/gpu.ts";
import { pullIfAbsent } from "../probeImage.ts";
import { waveContainer } from "./container.ts";
import { claimedDevices, deviceName, isTaken, type WaveDevice, waveDevices } from "./devices.ts";
import { awaitHealth, createPublisher } from "./mailbox.ts";
import { proveIn } from "./proveIn.ts";

export type WaveDependencies = {
  engine: Engine;
  client: Pick<ChainClient, "getBlock">;
  logger: Logger;
  signal: AbortSignal;
  /** The market's probe image, the only one that runs for a wave; undefined when the market has none. */
  probeImage: () => string | undefined;
  hardware: () => { gpus: readonly Gpu[]; cpuMilli: number };
  /** Names of the claimed devices, in the claim's order. Default: all that the machine has. */
  claimed?: () => readonly string[] | undefined;
  /** The CPU is challenged beside tenants, too, who feel it. */
  besideTenants?: boolean;
};

export type Waves = {
  /** Proves this node's free devices in a wave. Nothing that happens in it ends the client. */
  take: (order: WaveOrder) => void;
  /** Whether a wave is in progress. */
  isBusy: () => boolean;
  /** Resolves when no wave is in progress. */
  idle: () => Promise<void>;
};

/** Milliseconds between two checks for a tenant who takes a device that is challenged. */
const tenantInterval = 1_000;
/** Longest time from an order to its end, in milliseconds. */
const longest = 3_600_000;

/** Answers waves, one at a time. A wave's container is removed at its end, and those that a killed client left at its order. */
export function createWaves(deps: WaveDependencies): Waves {
  const { logger, signal } = deps;
  let current: { wave: number; done: Promise<void> } | undefined;
  const take = (order: WaveOrder) => {
    const wave = order.blocks.fill;
    if (current?.wave === wave || signal.aborted) return;
    if (current !== undefined) {
      logger.warn({ event: "wave_refused", wave, reason: `wave ${current.wave} is in progress` });
      return;
    }
    const done = answerWave(deps, order)
      .catch((error: unknown) => logger.warn({ event: "wave_failed", wave, reason: messageOf(error) }))
      .finally(() => {
        current = undefined;
      });
    current = { wave, done };
  };
  return { take, isBusy: () => current !== undefined, idle: async () => current?.done };
}

async function answerWave(deps: WaveDependencies, order: WaveOrder): Promise<void> {
  const { engine, logger, signal } = deps;
  const wave = order.blocks.fill;
  const rejection = rejectionOf(deps, order);
  if (rejection !== undefined) return logger.warn({ event: "wave_refused", wave, reason: rejection });
  await removeWaves(engine);
  const devices = await freeDevices(deps, order);
  if (devices.length === 0) return logger.info({ event: "wave_kept", wave, devices: order.claims.length });
  const ends = AbortSignal.any([signal, AbortSignal.timeout(order.closesAt * 1_000 - Date.now())]);
  try {
    const { id, driverToken } = await startWave(deps, order, devices, ends);
    await proveAll(deps, order, { devices, id, driverToken, ends });
    logger.info({ event: "wave_answered", wave, devices: devices.length });
    // Measurers read until the wave closes, unless a tenant takes a device before.
    while (!ends.aborted && !(await isDisturbing(deps, devices))) await rest(tenantInterval, ends);
  } finally {
    await removeWaves(engine);
  }
}

function rejectionOf({ probeImage }: WaveDependencies, { image, closesAt }: WaveOrder): string | undefined {
  if (image !== probeImage()) return "the image is not the market's probe image";
  const left = closesAt * 1_000 - Date.now();
  if (left <= 0) return "the wave is over";
  return left > longest ? "the wave lasts more than an hour" : undefined;
}

/** The challenged devices that no tenant would miss. */
async function freeDevices(deps: WaveDependencies, order: WaveOrder): Promise<WaveDevice[]> {
  const containers = await listContainers(deps.engine);
  const challenged = new Set(order.claims.map(({ device }) => device));
  const { gpus } = deps.hardware();
  const names = deps.claimed?.() ?? waveDevices(gpus).map(deviceName);
  return claimedDevices(gpus, names).filter(
    (device) => challenged.has(device.device) && !isTaken(device, containers, deps),
  );
}

async function isDisturbing(deps: WaveDependencies, devices: readonly WaveDevice[]): Promise<boolean> {
  const containers = await listContainers(deps.engine);
  return devices.some((device) => isTaken(device, containers, deps));
}

async function startWave(
  { engine, hardware }: WaveDependencies,
  order: WaveOrder,
  devices: readonly WaveDevice[],
  signal: AbortSignal,
): Promise<{ id: string; driverToken: string }> {
  await pullIfAbsent(engine, order.image, signal);
  const image = await findImage(engine, order.image);
  const driverToken = randomBytes(24).toString("hex");
  const { cpuMilli } = hardware();
  const labelled = { ...order, label: String(order.blocks.fill) };
  const options = { order: labelled, devices, user: image?.user, cpuMilli, driverToken };
  const id = await createContainer(engine, waveContainer(engine, options));
  await startContainer(engine, id);
  await awaitHealth(order.port, signal);
  return { id, driverToken };
}

/** Proves the devices at the same time. One that fails leaves the others alone; a tenant who comes ends them all. */
async function proveAll(
  deps: WaveDependencies,
  order: WaveOrder,
  given: { devices: readonly WaveDevice[]; id: string; driverToken: string; ends: AbortSignal },
): Promise<void> {
  const { engine, client, logger } = deps;
  const { devices, id, driverToken, ends } = given;
  const wave = order.blocks.fill;
  const tenant = new AbortController();
  const signal = AbortSignal.any([ends, tenant.signal]);
  const proofs = devices.map(async (device) => {
    const bytes = order.claims.find((claim) => claim.device === device.device)?.bytes ?? 0n;
    const publish = createPublisher({ port: order.port, device: device.device, driverToken, signal });
    try {
      await proveIn({ engine, client, containerId: id, publish, signal }, order, { device, bytes });
    } catch (error) {
      const reason = tenant.signal.aborted ? "a tenant has it" : messageOf(error);
      logger.warn({ event: "wave_device_failed", wave, device: device.device, reason });
    }
  });
  const finished = new AbortController();
  const watching = watchTenants(deps, devices, { tenant, until: AbortSignal.any([signal, finished.signal]) });
  await Promise.all(proofs);
  finished.abort();
  await watching;
}

async function watchTenants(
  deps: WaveDependencies,
  devices: readonly WaveDevice[],
  { tenant, until }: { tenant: AbortController; until: AbortSignal },
): Promise<void> {
  while (!until.aborted) {
    // An engine that does not answer now is asked again.
    const taken = await isDisturbing(deps, devices).catch(() => false);
    if (taken) {
      tenant.abort();
      // Provers end with their container, at once.
      await removeWaves(deps.engine);
    }
    await rest(tenantInterval, until);
  }
}

/** Removes this node's containers of waves. */
export async function removeWaves(engine: Engine): Promise<void> {
  for (const { Id } of await inspectOwn(engine, "wave")) await removeContainer(engine, Id);
}
