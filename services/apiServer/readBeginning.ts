import type { IncomingMessage } from "node:http";

/** @deadline The end of a short response. What has arrived is passed, and then the rest. */
const awaited = 2;
/** Bytes of a short response at most. */
const shortBytes = 64 << 10;

/**
 * Reads a response to its end if it is short and arrives at once. Its task is then stored once, with its end. Of any other
 * response it returns what has arrived; the rest is read from the message. Events are not awaited.
 */
export async function readBeginning(
  message: IncomingMessage,
  take: (part: Buffer) => void,
): Promise<{ parts: Buffer[]; isWhole: boolean }> {
  const parts: Buffer[] = [];
  const isStream = /^text\/event-stream/i.test(message.headers["content-type"] ?? "");
  if (isStream || Number(message.headers["content-length"] ?? 0) > shortBytes)
    return { parts, isWhole: false };
  const settled = Promise.withResolvers<boolean>();
  let length = 0;
  const add = (part: Buffer) => {
    take(part);
    parts.push(part);
    length += part.length;
    if (length > shortBytes) settled.resolve(false);
  };
  const end = () => settled.resolve(message.complete);
  const fail = () => settled.resolve(false);
  const timer = setTimeout(fail, awaited);
  message.on("data", add).once("end", end).once("close", end).once("error", fail);
  const isWhole = await settled.promise;
  clearTimeout(timer);
  message.pause();
  message.off("data", add).off("end", end).off("close", end).off("error", fail);
  return { parts, isWhole };
}
