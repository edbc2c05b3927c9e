import type { Layout } from "../terms.ts";
import { pageBytes } from "../terms.ts";
import { type Handle, memoryShort } from "./library.ts";
import type { Program } from "./program.ts";

/** A filled memory: four buffers for each window. */
export type FilledMemory = { layout: Layout; chunks: Handle[] };

/**
 * Fills the memory of a layout.
 *
 * @throws RetryableError `opencl_memory_short`; what was allocated is released
 */
export function fillMemory(program: Program, layout: Layout, key: Handle): FilledMemory {
  const { device } = program;
  if (layout.filledBytes > device.memoryBytes)
    throw memoryShort(`${layout.filledBytes} bytes are to be filled, and it has ${device.memoryBytes}.`);
  const chunks: Handle[] = [];
  try {
    for (let chunk = 0; chunk < 4 * layout.windows; chunk++) {
      const buffer = program.buffer(layout.chunkPages * pageBytes);
      chunks.push(buffer);
      const first = chunk * layout.chunkPages;
      program.run("fill", layout.chunkPages / program.lanes, [{ buffer }, { buffer: key }, first]);
    }
    program.finish();
    return { layout, chunks };
  } catch (error) {
    chunks.forEach(program.release);
    throw error;
  }
}
