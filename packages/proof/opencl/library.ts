import { FatalError, messageOf, RetryableError } from "@ngpu/runtime/errors";
import koffi from "koffi";

/** Handles are pointers of OpenCL, as the integers that koffi gives. */
export type Handle = number | bigint;

type Status = (...args: unknown[]) => number;
type Maker = (...args: unknown[]) => Handle;

/** The functions of OpenCL 1.2 that the prover calls. Handles are 64-bit integers; memory of ours is passed as arrays. */
const statuses = {
  clBuildProgram: "int clBuildProgram(uint64_t, uint32_t, void *, const char *, void *, void *)",
  clEnqueueNDRangeKernel:
    "int clEnqueueNDRangeKernel(uint64_t, uint64_t, uint32_t, void *, void *, void *, uint32_t, void *, void *)",
  clEnqueueReadBuffer:
    "int clEnqueueReadBuffer(uint64_t, uint64_t, uint32_t, size_t, size_t, void *, uint32_t, void *, void *)",
  clEnqueueWriteBuffer:
    "int clEnqueueWriteBuffer(uint64_t, uint64_t, uint32_t, size_t, size_t, void *, uint32_t, void *, void *)",
  clFinish: "int clFinish(uint64_t)",
  clGetDeviceIDs: "int clGetDeviceIDs(uint64_t, uint64_t, uint32_t, void *, void *)",
  clGetDeviceInfo: "int clGetDeviceInfo(uint64_t, uint32_t, size_t, void *, void *)",
  clGetPlatformIDs: "int clGetPlatformIDs(uint32_t, void *, void *)",
  clGetPlatformInfo: "int clGetPlatformInfo(uint64_t, uint32_t, size_t, void *, void *)",
  clGetProgramBuildInfo: "int clGetProgramBuildInfo(uint64_t, uint64_t, uint32_t, size_t, void *, void *)",
  clReleaseMemObject: "int clReleaseMemObject(uint64_t)",
  clSetKernelArg: "int clSetKernelArg(uint64_t, uint32_t, size_t, void *)",
} as const;
const makers = {
  clCreateBuffer: "uint64_t clCreateBuffer(uint64_t, uint64_t, size_t, void *, void *)",
  clCreateCommandQueue: "uint64_t clCreateCommandQueue(uint64_t, uint64_t, uint64_t, void *)",
  clCreateContext: "uint64_t clCreateContext(void *, uint32_t, void *, void *, void *, void *)",
  clCreateKernel: "uint64_t clCreateKernel(uint64_t, const char *, void *)",
  clCreateProgramWithSource:
    "uint64_t clCreateProgramWithSource(uint64_t, uint32_t, const char **, void *, void *)",
} as const;

export type OpenCl = {
  /** Calls a function that returns a status. */
  call: (name: keyof typeof statuses, ...args: unknown[]) => void;
  /** The status itself, for the callers that expect one. */
  status: (name: keyof typeof statuses, ...args: unknown[]) => number;
  /** Calls a function that returns a handle and writes its status to a last argument. */
  make: (name: keyof typeof makers, ...args: unknown[]) => Handle;
};

/**
 * Loads the machine's OpenCL.
 *
 * @throws FatalError `opencl_library_missing`
 */
export function loadOpenCl(path: string): OpenCl {
  const library = open(path);
  const bind = <Of>(prototypes: Record<string, string>) =>
    new Map(Object.entries(prototypes).map(([name, text]) => [name, library.func(text) as Of]));
  const statusOf = bind<Status>(statuses);
  const makerOf = bind<Maker>(makers);
  const status = (name: keyof typeof statuses, ...args: unknown[]) => (statusOf.get(name) as Status)(...args);
  return {
    status,
    call: (name, ...args) => {
      const code = status(name, ...args);
      if (code !== 0) throw statusError(name, code);
    },
    make: (name, ...args) => {
      const code = new Int32Array(1);
      const made = (makerOf.get(name) as Maker)(...args, code);
      if (code[0] !== 0) throw statusError(name, code[0] as number);
      return made;
    },
  };
}

function open(path: string) {
  try {
    return koffi.load(path);
  } catch (cause) {
    throw new FatalError(`OpenCL is not installed: ${path} cannot be loaded (${messageOf(cause)}).`, {
      code: "opencl_library_missing",
      hint: "Install ocl-icd-libopencl1 and the OpenCL driver of the device; pocl-opencl-icd is the one for CPUs.",
      cause,
    });
  }
}

const memoryStatuses = new Map([
  [-4, "CL_MEM_OBJECT_ALLOCATION_FAILURE"],
  [-5, "CL_OUT_OF_RESOURCES"],
  [-6, "CL_OUT_OF_HOST_MEMORY"],
  [-61, "CL_INVALID_BUFFER_SIZE"],
]);

function statusError(name: string, status: number) {
  const text = memoryStatuses.get(status);
  if (text !== undefined) return memoryShort(`${name} returned ${text}.`);
  return new RetryableError(`${name} returned status ${status}.`, {
    code: "opencl_call_failed",
    hint: "Look up the status in the OpenCL specification, and check the driver with clinfo.",
    details: { function: name, status },
  });
}

export function memoryShort(reason: string) {
  return new RetryableError(`The device has too little memory: ${reason}`, {
    code: "opencl_memory_short",
    hint: "Declare less memory for this device, or end the programs that use it.",
  });
}
