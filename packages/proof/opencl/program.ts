import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import type { Device } from "./devices.ts";
import type { Handle, OpenCl } from "./library.ts";

const kernelNames = ["fill", "chase", "work", "leaf", "level"] as const;
export type KernelName = (typeof kernelNames)[number];

/** An argument of a kernel: a buffer, or a 32-bit integer. */
export type Argument = { buffer: Handle } | number;

/** A device with the built kernels. Launches run one after the other; `write`, `read` and `finish` wait for them. */
export type Program = {
  device: Device;
  /** Lanes, pages or hashes of one work-item. */
  lanes: number;
  /** Work-items of a group. */
  groupItems: number;
  buffer: (bytes: number) => Handle;
  release: (buffer: Handle) => void;
  write: (buffer: Handle, data: NodeJS.ArrayBufferView) => void;
  read: (buffer: Handle, into: NodeJS.ArrayBufferView) => void;
  run: (kernel: KernelName, items: number, args: readonly Argument[]) => void;
  finish: () => void;
};

const buildLog = 0x1183;
const buildFailure = -11;
const readWrite = 1n;
/** Work-items of a group at most. Passed to each launch: PoCL fails on a size that it chooses itself. */
const groupItems = { gpu: 64, cpu: 8, other: 8 } as const;

/**
 * Builds the kernels for a device.
 *
 * @throws FatalError `opencl_build_failed` with the compiler's log
 */
export function buildProgram(cl: OpenCl, device: Device, lanes: number): Program {
  const handles = BigUint64Array.of(BigInt(device.handle));
  const context = cl.make("clCreateContext", null, 1, handles, null, null);
  const queue = cl.make("clCreateCommandQueue", context, device.handle, 0n);
  const source = readFileSync(join(import.meta.dirname, "kernel.cl"), "utf8");
  const program = cl.make("clCreateProgramWithSource", context, 1, [source], null);
  build(cl, { program, device, handles, lanes });
  const kernels = new Map(kernelNames.map((name) => [name, cl.make("clCreateKernel", program, name)]));
  return {
    device,
    lanes,
    groupItems: groupItems[device.type],
    buffer: (bytes) => cl.make("clCreateBuffer", context, readWrite, bytes, null),
    release: (buffer) => cl.call("clReleaseMemObject", buffer),
    write: (buffer, data) =>
      cl.call("clEnqueueWriteBuffer", queue, buffer, 1, 0, data.byteLength, data, 0, null, null),
    read: (buffer, into) =>
      cl.call("clEnqueueReadBuffer", queue, buffer, 1, 0, into.byteLength, into, 0, null, null),
    run: (name, items, args) => {
      const kernel = kernels.get(name) as Handle;
      args.forEach((arg, index) => {
        if (typeof arg === "number") cl.call("clSetKernelArg", kernel, index, 4, Uint32Array.of(arg));
        else cl.call("clSetKernelArg", kernel, index, 8, BigUint64Array.of(BigInt(arg.buffer)));
      });
      const global = BigUint64Array.of(BigInt(items));
      const local = BigUint64Array.of(BigInt(groupOf(items, groupItems[device.type])));
      cl.call("clEnqueueNDRangeKernel", queue, kernel, 1, null, global, local, 0, null, null);
    },
    finish: () => cl.call("clFinish", queue),
  };
}

type Building = { program: Handle; device: Device; handles: BigUint64Array; lanes: number };

function build(cl: OpenCl, { program, device, handles, lanes }: Building): void {
  const args = [program, 1, handles, `-DLANES=${lanes}`, null, null];
  const status = cl.status("clBuildProgram", ...args);
  if (status === 0) return;
  if (status !== buildFailure) cl.call("clBuildProgram", ...args);
  const log = Buffer.alloc(65_536);
  cl.status("clGetProgramBuildInfo", program, device.handle, buildLog, log.length, log, null);
  throw new FatalError(`The driver of ${device.name} cannot build the kernels.`, {
    code: "opencl_build_failed",
    hint: "Update the device's OpenCL driver. The compiler's log is in the details.",
    details: { log: log.toString("utf8", 0, Math.max(0, log.indexOf(0))).slice(0, 8_000) },
  });
}

/** Whole groups or single items: each size of group is compiled apart. */
function groupOf(items: number, limit: number): number {
  return items % limit === 0 ? limit : 1;
}
