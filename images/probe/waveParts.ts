import { RequestError } from "../shared/http.ts";

/** The parts of a device's answer in a wave, and the most bytes of each. */
const partBytes = { chase: 256, answer: 512, transcript: 2 ** 20 } as const;
/** Most devices of a node. */
const maxDevices = 256;

type Part = { bytes: Buffer } | { waiting: PromiseWithResolvers<void> };

/** The answers of this node in a wave: the client puts each part once, measurers read it, and wait for it. */
export function createWaveParts() {
  const parts = new Map<string, Part>();
  return {
    /** @throws RequestError 409 where the part is there: an answer does not change. */
    put(path: string, bytes: Buffer): void {
      const key = keyOf(path);
      const now = parts.get(key);
      if (now !== undefined && "bytes" in now) {
        throw new RequestError(409, "wave_part_present", "This part is there.", "Answer once in each wave.");
      }
      parts.set(key, { bytes });
      now?.waiting.resolve();
    },
    /** The part, once it is there. Undefined when the signal aborts before. */
    async get(path: string, signal: AbortSignal): Promise<Buffer | undefined> {
      const key = keyOf(path);
      const part = parts.get(key) ?? { waiting: Promise.withResolvers<void>() };
      if ("bytes" in part) return part.bytes;
      parts.set(key, part);
      const aborted = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([part.waiting.promise, aborted]);
      const found = parts.get(key);
      return found !== undefined && "bytes" in found ? found.bytes : undefined;
    },
  };
}

/** Most bytes of the part that a path names. @throws RequestError 404 for another path. */
export function limitOf(path: string): number {
  const [, part = ""] = keyOf(path).split("/");
  return partBytes[part as keyof typeof partBytes];
}

function keyOf(path: string): string {
  const [, device = "", part = ""] = /^\/wave\/(0|[1-9]\d{0,2})\/(chase|answer|transcript)$/.exec(path) ?? [];
  if (part !== "" && Number(device) < maxDevices) return `${device}/${part}`;
  throw new RequestError(
    404,
    "endpoint_not_found",
    `There is no part of an answer at ${path}.`,
    "Use /wave/<device>/chase, /wave/<device>/answer or /wave/<device>/transcript.",
  );
}
