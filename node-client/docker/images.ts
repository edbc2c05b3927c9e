import type { Readable } from "node:stream";
import { RetryableError } from "@ngpu/runtime/errors";
import { z } from "zod";
import { calling, type Engine, silenceOf, tolerating } from "./engine.ts";
import { linesOf } from "./lines.ts";

/** An image on the engine whose digest was verified. `sizeBytes` is its unpacked size, `platform` such as `linux/amd64`. */
export type Image = {
  id: string;
  user: string | undefined;
  sizeBytes: number;
  platform: string | undefined;
  /** Paths that the image declares with VOLUME. */
  volumes: string[];
};

/**
 * Finds the image `name@sha256:…` on the engine.
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
  const platform = info.Architecture ? `${info.Os || "linux"}/${info.Architecture}` : undefined;
  const volumes = Object.keys(info.Config?.Volumes ?? {});
  return { id: info.Id, user: info.Config?.User || undefined, sizeBytes: info.Size, platform, volumes };
}

/** Removes an image from the engine. @returns False when a container uses it. */
export async function removeImage(engine: Engine, reference: string): Promise<boolean> {
  const remove = async () => {
    await calling(engine.docker, () => engine.docker.getImage(reference).remove());
    return true;
  };
  return tolerating([409], false, () => tolerating([404], true, remove));
}

export type PullProgress = { percent: number; bytesPerSecond: number };

const line = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
});

/**
 * Pulls an image by digest. The engine verifies all content against it and keeps complete layers for a retry.
 *
 * @param options.sizeBytes Compressed size, if known: layers that have not started report no size.
 * @throws RetryableError `image_pull_failed`, with the engine's message.
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
  const meter = createMeter(Number(options.sizeBytes ?? 0n), Date.now());
  const progress = watchProgress(silenceOf(docker));
  try {
    for await (const text of linesOf(stream, AbortSignal.any([options.signal, progress.stopped]))) {
      const event = line.safeParse(JSON.parse(text));
      if (!event.success) continue;
      if (event.data.error !== undefined) throw pullError(reference, event.data.error, undefined);
      progress.take(event.data);
      const sample = meter.take(event.data, Date.now());
      if (sample !== undefined) options.onProgress(sample);
    }
  } catch (error) {
    if (options.signal.aborted) throw pullError(reference, "it was cancelled", options.signal.reason);
    if (error instanceof RetryableError) throw error;
    const detail = progress.stopped.aborted ? "it makes no progress" : "the connection was lost";
    throw pullError(reference, detail, error);
  } finally {
    progress.end();
  }
  if (options.signal.aborted) throw pullError(reference, "it was cancelled", options.signal.reason);
}

/** Stops a pull whose layers stay as they are, although the engine may repeat their state. */
function watchProgress(milliseconds: number | undefined) {
  const stop = new AbortController();
  const states = new Map<string | undefined, string>();
  const timer =
    milliseconds === undefined
      ? undefined
      : setTimeout(() => stop.abort(new Error(`no progress for ${milliseconds} ms`)), milliseconds);
  return {
    stopped: stop.signal,
    take: ({ id, status, progressDetail }: z.infer<typeof line>) => {
      const state = `${status} ${progressDetail?.current}`;
      if (states.get(id) !== state) timer?.refresh();
      states.set(id, state);
    },
    end: () => clearTimeout(timer),
  };
}

function pullError(reference: string, detail: string, cause: unknown): RetryableError {
  return new RetryableError(`The image ${reference} cannot be pulled: ${detail}`, {
    code: "image_pull_failed",
    hint: "Check that this machine reaches the image's registry. The client tries again.",
    details: { said: detail },
    cause,
  });
}

/** Sums the progress of the layers: percent of the image and bytes a second. Exported for its test. */
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
      const total = Math.max(sizeBytes, sum("total"), 1);
      return { percent: Math.min(100, Math.round((bytes * 100) / total)), bytesPerSecond };
    },
  };
}
