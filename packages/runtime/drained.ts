import type { Writable } from "node:stream";

/**
 * Waits until a stream takes more, or until it or one of `peers` is closed. It leaves no listener behind: one stream waits many times.
 *
 * @throws The signal's reason when it is aborted.
 */
export async function drained(
  stream: Writable,
  { peers = [], signal }: { peers?: readonly Writable[]; signal?: AbortSignal } = {},
): Promise<void> {
  const streams = [stream, ...peers];
  signal?.throwIfAborted();
  if (streams.some(({ destroyed }) => destroyed)) return;
  const ready = Promise.withResolvers<void>();
  const wake = () => ready.resolve();
  stream.once("drain", wake);
  for (const one of streams) one.once("close", wake);
  signal?.addEventListener("abort", wake, { once: true });
  await ready.promise;
  stream.off("drain", wake);
  for (const one of streams) one.off("close", wake);
  signal?.removeEventListener("abort", wake);
  signal?.throwIfAborted();
}
