import type { ChainClient } from "@ngpu/chain-reader/client";
import { type DeviceInfo, listDevices, type Prover, startProver } from "@ngpu/proof/prover";
import type { WaveOrder, WavePartName } from "@ngpu/protocol/waves";
import { FatalError } from "@ngpu/runtime/errors";
import type { Engine } from "../docker/engine.ts";
import { answerDevice } from "./answerDevice.ts";
import { awaitBlock } from "./chainBlocks.ts";
import { visibleTo, type WaveDevice } from "./devices.ts";
import { startProverIn } from "./proverChannel.ts";

export type ProveDependencies = {
  engine: Engine;
  client: Pick<ChainClient, "getBlock">;
  containerId: string;
  publish: (part: WavePartName, body: Uint8Array) => Promise<void>;
  /** Aborted when the wave ends, or a tenant comes. The prover is ended. */
  signal: AbortSignal;
};

/** Proves one device by a process of its own in the wave's container. */
export async function proveIn(
  { engine, client, containerId, publish, signal }: ProveDependencies,
  order: WaveOrder,
  { device, bytes }: { device: WaveDevice; bytes: bigint },
): Promise<void> {
  const prover = await openProver(engine, containerId, device);
  const stop = () => void prover.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const blockAt = (number: number) => awaitBlock(client, number, { until: order.closesAt * 1_000, signal });
    await answerDevice({ prover, blockAt, publish, now: Date.now }, order, { device: device.device, bytes });
  } finally {
    signal.removeEventListener("abort", stop);
    await prover.stop();
  }
}

/** Starts the process of a device in the probe's container. @throws FatalError `wave_device_missing` */
export async function openProver(engine: Engine, containerId: string, device: WaveDevice): Promise<Prover> {
  const start = () => startProverIn(engine, containerId, visibleTo(device));
  const place = placeOf(device, await listDevices({ channel: await start() }));
  return startProver({ device: place, channel: await start() });
}

/** The device's place among those that the prover sees: one GPU at most is visible to it. */
function placeOf({ kind }: WaveDevice, devices: readonly DeviceInfo[]): number {
  const place = devices.findIndex(({ type }) => type === kind);
  if (place !== -1) return place;
  const seen = devices.map(({ platform, name }) => `${name} (${platform})`).join(", ");
  throw new FatalError(`OpenCL sees no ${kind} in the probe's container, but ${seen}.`, {
    code: "wave_device_missing",
    hint: "Check the card's driver with clinfo. The probe's image has the drivers of CPUs and of NVIDIA's cards.",
  });
}
