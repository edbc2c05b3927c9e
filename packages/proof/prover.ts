import { join } from "node:path";
import type { Hex } from "viem";
import type { z } from "zod";
import type { DeviceInfo } from "./opencl/devices.ts";
import { answerSchemas, type ProverRequest } from "./opencl/messages.ts";
import { type Channel, type ProverProcess, processAt, spawnChannel } from "./process.ts";
import type { Committed } from "./record.ts";
import { type Kind, limits } from "./terms.ts";

export type { DeviceInfo } from "./opencl/devices.ts";
export type { Channel } from "./process.ts";

export type ProverOptions = {
  /** Place of the device in the list of `listDevices`. */
  device: number;
  /** The command of the prover's process. Default: Node with `opencl/child.ts`. */
  command?: readonly string[];
  /** A prover's process that runs already, such as one in a container. It replaces the command and its variables. */
  channel?: Channel;
  /** File of the OpenCL loader. Default `libOpenCL.so.1`. */
  library?: string;
  /** Lanes of a work-item. Default: by the device's vectors. */
  lanes?: number;
  /** Milliseconds for a step that has no time of its own. Default 120,000. */
  deadline?: number;
  /** Variables of the process, besides those of this one. */
  env?: Record<string, string>;
};

export type RunOptions = { seed: Hex; milliseconds: number; legs?: number; lanes?: number };

/** Time that a step took, and that of the prover's process on all cores. */
export type Times = { milliseconds: number; cpuMilliseconds: number };

/** A device that proves itself, in a process of its own. Steps run one after the other. */
export type Prover = {
  device: DeviceInfo;
  /** Fills nine tenths of these bytes. Only tests give the size of windows. */
  fill: (memory: {
    seed: Hex;
    bytes: bigint;
    windowPages?: number;
  }) => Promise<Times & { filledBytes: bigint }>;
  /** Runs one part for a time, and commits to what was done in it. */
  run: (kind: Kind, options: RunOptions) => Promise<Committed & Times>;
  /** Opens what the audit with this seed draws from both parts. */
  transcript: (seed: Hex) => Promise<Uint8Array>;
  /** Ends the process, and with it the memory. */
  stop: () => Promise<void>;
};

/** @deadline A step of a device's proof that has no time of its own. The prover's process is killed. */
const stepDeadline = 120_000;
/** @deadline One GiB of a device's fill, besides a step's own time. The prover's process is killed. */
const gibDeadline = 10_000;
/** @deadline A part of a proof, beyond its time. The prover's process is killed. */
const partGrace = 60_000;
const defaultLibrary = "libOpenCL.so.1";

/** Huge pages for the prover's memory: a random read needs no walk through the page tables. */
const hugePages = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };

type Start = Omit<ProverOptions, "device" | "lanes">;

/** The OpenCL devices of this machine. */
export async function listDevices(options: Start = {}): Promise<DeviceInfo[]> {
  const process = start(options);
  try {
    const { library = defaultLibrary, deadline = stepDeadline } = options;
    return await ask(process, { op: "list", library }, deadline);
  } finally {
    await process.stop();
  }
}

/**
 * Starts the process of a device and builds its kernels.
 *
 * @throws FatalError `opencl_library_missing`, `opencl_platform_missing`, `opencl_device_missing`, `opencl_build_failed`
 * @throws RetryableError `opencl_call_failed`, `prover_ended`, `prover_silent`; a fill also `opencl_memory_short`
 */
export async function startProver(options: ProverOptions): Promise<Prover> {
  const { device, lanes, library = defaultLibrary, deadline = stepDeadline } = options;
  const process = start(options);
  try {
    const found = await ask(process, { op: "open", library, device, lanes }, deadline);
    return {
      device: found,
      fill: ({ bytes, ...rest }) =>
        ask(process, { op: "fill", bytes: bytes.toString(), ...rest }, deadline + gibDeadline * gibOf(bytes)),
      run: (kind, { legs = Number.MAX_SAFE_INTEGER, milliseconds, ...rest }) =>
        ask(
          process,
          { op: "run", kind, legs, milliseconds, ...rest },
          milliseconds + Math.min(partGrace, deadline),
        ),
      transcript: async (seed) => {
        const { transcript } = await ask(process, { op: "transcript", seed }, deadline);
        return new Uint8Array(Buffer.from(transcript, "base64"));
      },
      stop: process.stop,
    };
  } catch (error) {
    await process.stop();
    throw error;
  }
}

/** At most what a proof may be of: other sizes are refused at once. */
function gibOf(bytes: bigint): number {
  return bytes > limits.bytes.most ? 0 : Number(bytes / 2n ** 30n);
}

function start({ command, channel, env = {} }: Start): ProverProcess {
  if (channel !== undefined) return processAt(channel);
  const own = [process.execPath, join(import.meta.dirname, "opencl/child.ts")];
  return processAt(spawnChannel(command ?? own, { ...process.env, ...hugePages, ...env }));
}

async function ask<Request extends ProverRequest>(
  process: ProverProcess,
  request: Request,
  deadline: number,
): Promise<z.infer<(typeof answerSchemas)[Request["op"]]>> {
  const value = await process.ask(request, deadline);
  return answerSchemas[request.op as Request["op"]].parse(value) as z.infer<
    (typeof answerSchemas)[Request["op"]]
  >;
}
