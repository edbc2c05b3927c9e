import type { Writable } from "node:stream";

/**
 * Waits until a stream takes more. It leaves no listener behind: one response waits many times.
 *
 * @throws The signal's reason when it is aborted.
 */
export async function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const ready = Promise.withResolvers<void>();
  const resolve = () => ready.resolve();
  stream.once("drain", resolve);
  signal.addEventListener("abort", resolve, { once: true });
  try {
    await ready.promise;
  } finally {
    stream.off("drain", resolve);
    signal.removeEventListener("abort", resolve);
  }
  signal.throwIfAborted();
}
