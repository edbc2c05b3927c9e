import type { ChainClient } from "@ngpu/chain-reader/client";
import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import { proofWavesAbi } from "@ngpu/contracts-sdk/generated/abi";
import type { Logger } from "@ngpu/runtime/logger";
import { encodeDevice } from "@ngpu/waves/claims";
import { averagedBlocks, blockTime } from "@ngpu/waves/schedule";
import type { Hex } from "viem";
import { listContainers } from "../docker/containers.ts";
import type { Engine } from "../docker/engine.ts";
import { type Journal, readFact, writeFact } from "../journal/open.ts";
import { lastBySubject } from "../journal/outbox.ts";
import { deadline, type Outbox } from "../outbox.ts";
import type { Gpu } from "../probe/gpu.ts";
import { deviceName, isTaken, type WaveDevice, waveDevices } from "./devices.ts";
import { measureDevices, type WaveTimes } from "./measureDevices.ts";

export type HardwareClaimDependencies = {
  engine: Engine;
  client: ChainClient;
  deployment: Deployment;
  journal: Journal;
  outbox: Pick<Outbox, "submit">;
  logger: Logger;
  signal: AbortSignal;
  probeImage: () => string | undefined;
  nodeId: () => number | undefined;
  hardware: () => { gpus: readonly Gpu[]; cpuMilli: number; memoryMib: number };
  /** Whether a wave is in progress: what is measured beside it would be false, and disturb it. */
  isProving: () => boolean;
  /** Most memory that the CPU's proof fills, MiB; undefined: what the machine offers. 0: the CPU is not claimed. */
  memoryMib: number | undefined;
  /** Seconds after the start in which the machine is left alone. */
  delaySeconds: number;
  besideTenants: boolean;
  measure?: typeof measureDevices;
};

/** What is claimed: of which machine it was measured, each device's name and word, and the deadline that was signed. */
type Claim = { machine: string; devices: { name: string; word: Hex }[]; deadline: string };

const fact = "hardware_claim";
const kind = "claimHardware";
const mebibyte = 2n ** 20n;
/** MiB of the machine that a CPU's proof leaves: the server, the compiler, the client and the engine. */
const leftMib = 2_048;
/** Milliseconds after a refusal or a failure before the next try. */
const retryMs = 30_000;
const measureAgainMs = 600_000;
/** Milliseconds after the chain was seen to have the claim before it is asked again: a reorganization may remove it. */
const checkAgainMs = 600_000;

/**
 * Claims this machine's devices on the chain: measures what they reach in a wave, and signs it. Once for each machine: it is
 * measured again only when its devices change, and never while a tenant or a wave would feel it.
 *
 * @returns `round`, to be called again and again; `claimed`: names of the claimed devices, in the claim's order.
 */
export function createHardwareClaim(deps: HardwareClaimDependencies) {
  const { journal, logger } = deps;
  const startedAt = performance.now();
  let failedAt = Number.NEGATIVE_INFINITY;
  let seenAt = Number.NEGATIVE_INFINITY;
  const round = async (): Promise<void> => {
    const nodeId = deps.nodeId();
    const image = deps.probeImage();
    if (nodeId === undefined || image === undefined) return;
    let claim = readClaim(journal);
    if (claim?.machine !== machineOf(deps)) {
      const now = performance.now();
      const isEarly = now - startedAt < deps.delaySeconds * 1_000 || now - failedAt < measureAgainMs;
      if (isEarly || deps.isProving()) return;
      claim = await measured(deps, image);
      if (claim === undefined) return;
      if (claim.devices.length === 0) {
        failedAt = performance.now();
        logger.warn({
          event: "hardware_not_claimed",
          reason: "no device has a driver in the probe's container",
        });
        return;
      }
      writeFact(journal, fact, JSON.stringify(claim));
      seenAt = Number.NEGATIVE_INFINITY;
    }
    if (performance.now() - seenAt < checkAgainMs) return;
    if (await submit(deps, nodeId, claim)) seenAt = performance.now();
  };
  return { round, claimed: () => readClaim(journal)?.devices.map(({ name }) => name) };
}

function readClaim(journal: Journal): Claim | undefined {
  const stored = readFact(journal, fact);
  return stored === undefined ? undefined : (JSON.parse(stored) as Claim);
}

/** What a measurement of devices depends on. */
function machineOf({ hardware, deployment, memoryMib }: HardwareClaimDependencies): string {
  const { gpus, cpuMilli, memoryMib: offered } = hardware();
  const names = gpus.map(({ uuid }) => uuid);
  return JSON.stringify([names, cpuMilli, memoryMib ?? offered, deployment.parameters.waves]);
}

/** Undefined while a tenant has one of the devices. */
async function measured(deps: HardwareClaimDependencies, image: string): Promise<Claim | undefined> {
  const { engine, hardware, logger, signal, measure = measureDevices } = deps;
  const machine = machineOf(deps);
  const cpuBytes = BigInt(Math.max(0, deps.memoryMib ?? hardware().memoryMib - leftMib)) * mebibyte;
  const devices = waveDevices(hardware().gpus).filter((device) => device.kind === "gpu" || cpuBytes > 0n);
  const containers = await listContainers(engine);
  if (devices.some((device) => isTaken(device, containers, deps))) return undefined;
  const times = await waveTimes(deps);
  const found = await measure(
    { engine, image, logger, signal, hardware: hardware(), times, cpuBytes },
    devices,
  );
  logger.info({ event: "hardware_measured", devices: found.map(figuresOf) });
  const words = found.map(({ device, claimed }) => ({
    name: deviceName(device),
    word: encodeDevice(claimed),
  }));
  return { machine, devices: words, deadline: "0" };
}

function figuresOf({
  device,
  claimed,
}: {
  device: WaveDevice;
  claimed: { figures: Record<string, bigint> };
}) {
  return { device: deviceName(device), ...claimed.figures };
}

/** The times of a wave's parts, at the chain's present pace. */
async function waveTimes({ client, deployment }: HardwareClaimDependencies): Promise<WaveTimes> {
  const { fillBlocks, chaseBlocks, workBlocks } = deployment.parameters.waves;
  const timeOf = ({ number, timestamp }: { number: bigint; timestamp: bigint }) => ({
    number: Number(number),
    time: Number(timestamp),
  });
  const last = await client.getBlock();
  const blockNumber = last.number - BigInt(averagedBlocks);
  const first = await client.getBlock({ blockNumber: blockNumber > 0n ? blockNumber : 0n });
  const blockMs = blockTime(timeOf(first), timeOf(last));
  return { fill: fillBlocks * blockMs, chase: chaseBlocks * blockMs, work: workBlocks * blockMs };
}

/** Submits the claim until the chain has it. A claim that expired on its way is signed again. @returns true: the chain has it. */
async function submit(deps: HardwareClaimDependencies, nodeId: number, claim: Claim): Promise<boolean> {
  const { client, deployment, journal, outbox } = deps;
  const address = deployment.contracts.ProofWaves;
  const onChain = await client.readContract({
    address,
    abi: proofWavesAbi,
    functionName: "claimDeadlineOf",
    args: [nodeId],
  });
  if (claim.deadline !== "0" && onChain >= BigInt(claim.deadline)) return true;
  const last = lastBySubject(journal, kind).get(kind);
  const isPending = last?.status === "waiting" || last?.status === "queued";
  const isRecent = last !== undefined && Date.now() - (last.settledAt ?? last.createdAt) < retryMs;
  if (isPending || (isRecent && claim.deadline !== "0")) return false;
  // A later deadline replaces the claim that the chain has.
  const until = deadline() > onChain ? deadline() : onChain + 1n;
  writeFact(journal, fact, JSON.stringify({ ...claim, deadline: String(until) }));
  await outbox.submit(
    kind,
    { nodeId, devices: claim.devices.map(({ word }) => word), deadline: until },
    kind,
  );
  return false;
}
