import { FatalError } from "@ngpu/runtime/errors";
import type { Hex } from "viem";
import { drawsOf } from "../draws.ts";
import { type Kind, type Layout, layoutOf, limits, mostLanes } from "../terms.ts";
import { encodeTranscript } from "../transcript.ts";
import { keyOf } from "../words.ts";
import { type Device, type DeviceInfo, listDevices } from "./devices.ts";
import { type Handle, loadOpenCl } from "./library.ts";
import { type FilledMemory, fillMemory } from "./memory.ts";
import type { ProverRequest } from "./messages.ts";
import { committedOf, openLeg, type RunPart, runPart } from "./parts.ts";
import { buildProgram, type Program } from "./program.ts";

type Of<Op extends ProverRequest["op"]> = Extract<ProverRequest, { op: Op }>;

/** The state of a prover's process: one device, its memory, and its finished parts. */
export type Session = {
  program?: Program;
  memory?: FilledMemory;
  parts: Partial<Record<Kind, RunPart>>;
};

/** Lanes of a CPU's work-item: a vector of its integers, twice over so that its reads overlap. */
const cpuLanes = 16;
/** Memory of the first launches. */
const warmBytes = 32n * 2n ** 20n;
/** Lanes that keep one unit busy: the threads of a GPU's, the open reads of a CPU's core. */
const lanesPerUnit = { gpu: 512, cpu: 256, other: 256 } as const;

/** Answers one request. */
export function answer(session: Session, request: ProverRequest): unknown {
  switch (request.op) {
    case "list":
      return listDevices(loadOpenCl(request.library)).map(described);
    case "open":
      return openDevice(session, request);
    case "fill":
      return fill(session, request);
    case "run":
      return run(session, request);
    case "transcript":
      return transcript(session, request);
  }
}

function described({ handle: _, ...device }: Device): DeviceInfo {
  return device;
}

function openDevice(session: Session, { library, device, lanes }: Of<"open">): DeviceInfo {
  const cl = loadOpenCl(library);
  const devices = listDevices(cl);
  const found = devices[device];
  if (found === undefined) {
    throw new FatalError(`There is no OpenCL device ${device}: there are ${devices.length}.`, {
      code: "opencl_device_missing",
      hint: "List the devices, and choose one by its place from 0.",
    });
  }
  const program = buildProgram(cl, found, lanes ?? (found.vectorWidth > 1 ? cpuLanes : 1));
  warmUp(program);
  session.program = program;
  return described(found);
}

/** Runs every kernel once: drivers compile at the first launch, and that is no part of a timed step. */
function warmUp(program: Program): void {
  const key = keyBuffer(program, `0x${"0".repeat(64)}`);
  const memory = fillMemory(program, layoutOf(warmBytes) as Layout, key);
  const once = { milliseconds: 0, legs: 1 };
  const lanes = Math.min(mostLanes(memory.layout), program.groupItems * program.lanes);
  runPart(program, { kind: "chase", key, memory }, lanes, once);
  runPart(program, { kind: "work", key }, lanes, once);
  memory.chunks.forEach(program.release);
}

function fill(session: Session, { seed, bytes, windowPages }: Of<"fill">) {
  const program = programOf(session);
  const layout = layoutOf(BigInt(bytes), windowPages);
  if (layout === undefined) {
    throw new FatalError(`A memory of ${bytes} bytes cannot be proven.`, {
      code: "proof_size_invalid",
      hint: `Claim ${limits.bytes.least} to ${limits.bytes.most} bytes.`,
    });
  }
  const time = stopwatch();
  session.memory?.chunks.forEach(program.release);
  delete session.memory;
  session.memory = fillMemory(program, layout, keyBuffer(program, seed));
  return { ...time(), filledBytes: layout.filledBytes };
}

function run(session: Session, { kind, seed, lanes, milliseconds, legs }: Of<"run">) {
  const program = programOf(session);
  const memory = kind === "chase" ? memoryOf(session) : undefined;
  const most = memory === undefined ? limits.lanes.most : mostLanes(memory.layout);
  const wished = lanes ?? program.device.units * lanesPerUnit[program.device.type];
  const count = Math.max(limits.lanes.least, 2 ** Math.floor(Math.log2(Math.min(most, wished))));
  const part = { kind, key: keyBuffer(program, seed), memory };
  const time = stopwatch();
  const done = runPart(program, part, count, { milliseconds, legs: Math.min(legs, limits.legs.most) });
  session.parts[kind] = done;
  return { ...committedOf(done), ...time() };
}

/** Time since now, and that of this process on all cores: of a CPU device, what it took from other programs. */
function stopwatch(): () => { milliseconds: number; cpuMilliseconds: number } {
  const began = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { milliseconds: performance.now() - began, cpuMilliseconds: (user + system) / 1_000 };
  };
}

function transcript({ program, parts }: Session, { seed }: Of<"transcript">) {
  const { chase, work } = parts;
  if (program === undefined || chase === undefined || work === undefined) throw outOfOrder();
  const opened = (kind: Kind, done: RunPart) =>
    drawsOf(kind, seed as Hex, committedOf(done)).map((position) => openLeg(program, done, position));
  const bytes = encodeTranscript(seed as Hex, { chase: opened("chase", chase), work: opened("work", work) });
  return { transcript: Buffer.from(bytes).toString("base64") };
}

function keyBuffer(program: Program, seed: string): Handle {
  const buffer = program.buffer(32);
  program.write(buffer, keyOf(seed as Hex));
  return buffer;
}

function programOf({ program }: Session): Program {
  if (program === undefined) throw outOfOrder();
  return program;
}

function memoryOf({ memory }: Session): FilledMemory {
  if (memory === undefined) throw outOfOrder();
  return memory;
}

function outOfOrder() {
  return new FatalError("The prover was asked for a step before the one that it needs.", {
    code: "proof_step_missing",
    hint: "Open a device, fill its memory, run both parts, then ask for the transcript.",
  });
}
