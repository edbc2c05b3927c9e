import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { RetryableError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { calling, type Engine, tolerating } from "./engine.ts";

/** An image on the engine, checked to be the one with this digest. */
export type Image = { id: string; user: string | undefined; sizeBytes: number };

/**
 * Looks for `name@sha256:…`.
 *
 * @returns undefined when the engine does not have it, or has it under another digest.
 */
export async function findImage(engine: Engine, reference: string): Promise<Image | undefined> {
  const { docker } = engine;
  const info = await tolerating([404], undefined, () =>
    calling(docker, () => docker.getImage(reference).inspect()),
  );
  if (info === undefined) return undefined;
  const digest = reference.slice(reference.indexOf("@") + 1);
  if (!info.RepoDigests?.some((known) => known.endsWith(`@${digest}`))) return undefined;
  return { id: info.Id, user: info.Config?.User || undefined, sizeBytes: info.Size };
}

/** Takes an image off the engine; one that a container uses stays, one that is not there is no fault. */
export async function removeImage(engine: Engine, reference: string): Promise<void> {
  await tolerating([404, 409], undefined, async () => {
    await calling(engine.docker, () => engine.docker.getImage(reference).remove());
  });
}

export type PullProgress = { percent: number; bytesPerSecond: number };

const line = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
});

/**
 * Pulls an image by digest; the engine checks every byte against it, and keeps whole layers over a retry.
 *
 * @param sizeBytes Compressed size where it is known: layers that have not begun tell none.
 * @throws RetryableError `pull_failed`, with what the engine says.
 */
export async function pullImage(
  engine: Engine,
  reference: string,
  options: {
    sizeBytes: bigint | undefined;
    onProgress: (progress: PullProgress) => void;
    signal: AbortSignal;
  },
): Promise<void> {
  const { docker } = engine;
  const stream = (await calling(docker, () => docker.pull(reference))) as Readable;
  const lines = createInterface({ input: stream });
  const abort = () => {
    // A stream that is only destroyed leaves whoever waits for its next line waiting for ever.
    lines.close();
    stream.destroy();
  };
  options.signal.addEventListener("abort", abort, { once: true });
  const meter = createMeter(Number(options.sizeBytes ?? 0n), Date.now());
  try {
    for await (const text of lines) {
      const event = line.safeParse(JSON.parse(text));
      if (!event.success) continue;
      if (event.data.error !== undefined) throw pullError(reference, event.data.error, undefined);
      const progress = meter.take(event.data, Date.now());
      if (progress !== undefined) options.onProgress(progress);
    }
  } catch (error) {
    throw error instanceof RetryableError ? error : pullError(reference, "the connection was lost", error);
  } finally {
    options.signal.removeEventListener("abort", abort);
  }
  if (options.signal.aborted) throw pullError(reference, "it was cancelled", options.signal.reason);
}

function pullError(reference: string, detail: string, cause: unknown): RetryableError {
  return new RetryableError(`The image ${reference} cannot be pulled: ${detail}`, {
    code: "pull_failed",
    cause,
  });
}

/** Adds up layers: how much of the image is here, and how fast it comes. Exported for its test. */
export function createMeter(sizeBytes: number, startedAt: number) {
  const layers = new Map<string, { current: number; total: number }>();
  let lastSample = { at: startedAt, bytes: 0 };
  return {
    take(event: z.infer<typeof line>, now: number): PullProgress | undefined {
      const { id, status, progressDetail } = event;
      if (id === undefined) return undefined;
      const layer = layers.get(id);
      if (status === "Downloading" && progressDetail?.total) {
        layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
      } else if (layer !== undefined && (status === "Download complete" || status === "Pull complete")) {
        layer.current = layer.total;
      }
      if (now - lastSample.at < 500) return undefined;
      const sum = (part: "current" | "total") =>
        [...layers.values()].reduce((all, item) => all + item[part], 0);
      const bytes = sum("current");
      const bytesPerSecond = Math.max(
        0,
        Math.round(((bytes - lastSample.bytes) * 1000) / (now - lastSample.at)),
      );
      lastSample = { at: now, bytes };
      const whole = Math.max(sizeBytes, sum("total"), 1);
      return { percent: Math.min(100, Math.round((bytes * 100) / whole)), bytesPerSecond };
    },
  };
}
