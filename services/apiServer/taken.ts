import { drained } from "@ngpu/runtime/drained";
import type { Response } from "express";

/**
 * Waits until the reader took what was written. One that takes nothing for `stalled` ms is cut.
 *
 * @throws The reason of `ended` when it is aborted.
 */
export async function taken(response: Response, ended: AbortSignal, stalled: number): Promise<void> {
  const cut = setTimeout(() => response.destroy(), stalled);
  try {
    await drained(response, { signal: ended });
  } finally {
    clearTimeout(cut);
  }
}
