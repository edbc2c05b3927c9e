import { FatalError } from "@ngpu/runtime/errors";
import type { Handle, OpenCl } from "./library.ts";

/** A device as its driver describes it. */
export type DeviceInfo = {
  platform: string;
  name: string;
  type: "cpu" | "gpu" | "other";
  memoryBytes: bigint;
  largestBuffer: bigint;
  units: number;
  /** 32-bit integers of the vectors that the driver prefers: 1 on GPUs. */
  vectorWidth: number;
};

export type Device = DeviceInfo & { handle: Handle };

const platformName = 0x0902;
const info = { type: 0x1000, units: 0x1002, widthInt: 0x1008, largest: 0x1010, memory: 0x101f, name: 0x102b };
const allTypes = 0xffffffffn;
const noDevice = -1;
const noPlatform = -1_001;
const most = 64;

/**
 * Every device of every platform, in the drivers' order.
 *
 * @throws FatalError `opencl_platform_missing` or `opencl_device_missing`
 */
export function listDevices(cl: OpenCl): Device[] {
  const devices = platformsOf(cl).flatMap((platform) => devicesOf(cl, platform));
  if (devices.length > 0) return devices;
  throw new FatalError("OpenCL has a platform, but no device.", {
    code: "opencl_device_missing",
    hint: "Check that the device is handed to this process, and list what its driver sees with clinfo.",
  });
}

function platformsOf(cl: OpenCl): Handle[] {
  const handles = new BigUint64Array(most);
  const count = new Uint32Array(1);
  const status = cl.status("clGetPlatformIDs", most, handles, count);
  if (status !== 0 && status !== noPlatform) cl.call("clGetPlatformIDs", most, handles, count);
  if (status === 0 && (count[0] as number) > 0)
    return [...handles.subarray(0, Math.min(most, count[0] as number))];
  throw new FatalError("OpenCL has no platform: no driver is registered in /etc/OpenCL/vendors.", {
    code: "opencl_platform_missing",
    hint: "Install the OpenCL driver of the device; pocl-opencl-icd is the one for CPUs.",
  });
}

function devicesOf(cl: OpenCl, platform: Handle): Device[] {
  const handles = new BigUint64Array(most);
  const count = new Uint32Array(1);
  const status = cl.status("clGetDeviceIDs", platform, allTypes, most, handles, count);
  if (status === noDevice) return [];
  if (status !== 0) cl.call("clGetDeviceIDs", platform, allTypes, most, handles, count);
  const name = textOf(cl, "clGetPlatformInfo", platform, platformName);
  return [...handles.subarray(0, Math.min(most, count[0] as number))].map((handle) => ({
    handle,
    platform: name,
    name: textOf(cl, "clGetDeviceInfo", handle, info.name),
    type: typeOf(numberOf(cl, handle, info.type)),
    memoryBytes: numberOf(cl, handle, info.memory),
    largestBuffer: numberOf(cl, handle, info.largest),
    units: Number(numberOf(cl, handle, info.units)),
    vectorWidth: Number(numberOf(cl, handle, info.widthInt)),
  }));
}

function textOf(
  cl: OpenCl,
  of: "clGetPlatformInfo" | "clGetDeviceInfo",
  handle: Handle,
  what: number,
): string {
  const text = Buffer.alloc(1_024);
  cl.call(of, handle, what, text.length, text, null);
  return text.toString("utf8", 0, text.indexOf(0)).trim();
}

function numberOf(cl: OpenCl, device: Handle, what: number): bigint {
  // A shorter value leaves the high bytes zero.
  const value = new BigUint64Array(1);
  cl.call("clGetDeviceInfo", device, what, 8, value, null);
  return value[0] as bigint;
}

function typeOf(bits: bigint): DeviceInfo["type"] {
  if ((bits & 4n) !== 0n) return "gpu";
  return (bits & 2n) !== 0n ? "cpu" : "other";
}
