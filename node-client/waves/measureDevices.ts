import { randomBytes } from "node:crypto";
import { operationsOf, readsOf } from "@ngpu/proof/proven";
import type { Prover } from "@ngpu/proof/prover";
import { blockBytes } from "@ngpu/proof/terms";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { ClaimedDevice } from "@ngpu/waves/claims";
import { bytesToHex } from "viem";
import { createContainer, startContainer } from "../docker/containers.ts";
import type { Engine } from "../docker/engine.ts";
import { findImage } from "../docker/images.ts";
import { gpuModelOf } from "../offer.ts";
import type { Gpu } from "../probe/gpu.ts";
import { pullIfAbsent } from "../probeImage.ts";
import { guardMs } from "./answerDevice.ts";
import { waveContainer } from "./container.ts";
import type { WaveDevice } from "./devices.ts";
import { openProver } from "./proveIn.ts";
import { removeWaves } from "./waves.ts";

/** Time of a wave's parts, milliseconds. */
export type WaveTimes = { fill: number; chase: number; work: number };

export type MeasureDependencies = {
  engine: Engine;
  image: string;
  logger: Logger;
  signal: AbortSignal;
  hardware: { gpus: readonly Gpu[]; cpuMilli: number };
  times: WaveTimes;
  /** Most memory that the CPU's proof may fill. */
  cpuBytes: bigint;
};

const mebibyte = 2n ** 20n;
/** Memory whose fill shows how fast the device fills. */
const sampleBytes = 64n * mebibyte;
/** Milliseconds of each part: enough for legs of a slow device. */
const chaseMs = 3_000;
const workMs = 2_000;
/** Milliseconds of a wave's fill in which the container starts and its kernels are compiled. */
const startMs = 8_000;
/** Milliseconds that a block may come late. */
const lateMs = 1_000;
/** Parts of what is measured that are claimed, in percent: a machine is busier at times. */
const fillPercent = 70n;
const ratePercent = 90n;
/** @deadline Measuring devices of a node. The container is removed. */
const deadline = 600_000;

/**
 * Measures what each device would prove in a wave, as a wave would: in the probe's container, all at the same time. A
 * device that has no driver there is left out.
 *
 * @throws NgpuError of the engine
 */
export async function measureDevices(
  deps: MeasureDependencies,
  devices: readonly WaveDevice[],
): Promise<{ device: WaveDevice; claimed: ClaimedDevice }[]> {
  const { engine, image, logger, hardware, cpuBytes } = deps;
  const signal = AbortSignal.any([deps.signal, AbortSignal.timeout(deadline)]);
  await pullIfAbsent(engine, image, signal);
  const user = (await findImage(engine, image))?.user;
  const secret = () => randomBytes(24).toString("hex");
  const claims = devices.map(({ device }) => ({ device, bytes: cpuBytes }));
  const closesAt = Math.ceil((Date.now() + deadline) / 1_000);
  const order = { image, token: secret(), claims, closesAt, label: "claim", port: undefined };
  await removeWaves(engine);
  try {
    const given = { order, devices, user, cpuMilli: hardware.cpuMilli, driverToken: secret() };
    const id = await createContainer(engine, waveContainer(engine, given));
    await startContainer(engine, id);
    const measured = await Promise.all(
      devices.map(async (device) => {
        try {
          return [{ device, claimed: await measureDevice(deps, id, device, signal) }];
        } catch (error) {
          logger.warn({ event: "wave_device_unproven", device: device.device, reason: messageOf(error) });
          return [];
        }
      }),
    );
    return measured.flat();
  } finally {
    await removeWaves(engine);
  }
}

async function measureDevice(
  { engine, hardware, times, cpuBytes }: MeasureDependencies,
  containerId: string,
  device: WaveDevice,
  signal: AbortSignal,
): Promise<ClaimedDevice> {
  const prover = await openProver(engine, containerId, device);
  const stop = () => void prover.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const most = device.kind === "cpu" ? cpuBytes : BigInt(device.gpu.memoryMib) * mebibyte;
    const figures = await figuresOf(prover, most, times);
    if (device.kind === "gpu")
      return { figures, hardware: { kind: "gpu", modelHash: gpuModelOf(device.gpu.name) } };
    return { figures, hardware: { kind: "cpu", cores: Math.ceil(hardware.cpuMilli / 1_000) } };
  } finally {
    signal.removeEventListener("abort", stop);
    await prover.stop();
  }
}

/** What a device claims: the memory that it fills in time, and most of the rates that it reaches in a wave's parts. */
export async function figuresOf(
  prover: Pick<Prover, "fill" | "run">,
  most: bigint,
  times: WaveTimes,
): Promise<ClaimedDevice["figures"]> {
  const seed = () => bytesToHex(randomBytes(32));
  const sampled = smaller(most, sampleBytes);
  const sample = await prover.fill({ seed: seed(), bytes: sampled });
  const fillMs = BigInt(Math.max(lateMs, times.fill - startMs));
  const inTime =
    (sampled * fillMs * fillPercent) / 100n / BigInt(Math.max(1, Math.ceil(sample.milliseconds)));
  const bytes = (smaller(most, inTime) / mebibyte) * mebibyte;
  await prover.fill({ seed: seed(), bytes });
  const chase = await prover.run("chase", { seed: seed(), milliseconds: chaseMs });
  const work = await prover.run("work", { seed: seed(), milliseconds: workMs });
  return {
    bytes,
    bytesPerSecond: inWave(readsOf(chase) * BigInt(blockBytes), chase.milliseconds, times.chase),
    operationsPerSecond: inWave(operationsOf(work), work.milliseconds, times.work),
  };
}

/** A second's part of a count, over all the time of a wave's part: the node computes in less of it. */
function inWave(count: bigint, milliseconds: number, partMs: number): bigint {
  const usable = BigInt(Math.max(0, Math.floor(partMs - guardMs - lateMs)));
  const perSecond = (count * 1_000n) / BigInt(Math.max(1, Math.ceil(milliseconds)));
  return (perSecond * usable * ratePercent) / 100n / BigInt(Math.max(1, Math.floor(partMs)));
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
