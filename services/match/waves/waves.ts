import { holdLeadership } from "@ngpu/db/leader";
import { readHead } from "@ngpu/queries/fleet";
import { type Loop, startLoop } from "@ngpu/runtime/loop";
import { beginWaves } from "./beginWaves.ts";
import { followWaves } from "./followWaves.ts";
import type { WaveOptions } from "./options.ts";

/** @deadline The export of a wave's transaction. It is sent again. */
const exportTimeoutMs = 10_000;

/**
 * Serves the waves of the proof of hardware, on the instance that leads: stores the wave that a block begins, opens it on
 * the chain, records its later hashes, reveals what measurers hand over, and notes the verdict. Everything is read from
 * Postgres and the chain in each round, so a new leader resumes where the previous one stopped.
 */
export function startWaves(options: WaveOptions & { databaseUrl: string }): { wake(): void } {
  const { context, databaseUrl } = options;
  let loop: Loop | undefined;
  const lead = async (signal: AbortSignal) => {
    const tried = new Map<string, number>();
    loop = startLoop({ name: "waves", logger: context.logger, signal, interval: 1_000 }, async () => {
      for (const [key, at] of tried) if (performance.now() - at > exportTimeoutMs) tried.delete(key);
      const head = Number((await readHead(options.pool)).number);
      await beginWaves(options, head);
      await followWaves(options, head, tried);
    });
    await loop.done;
    loop = undefined;
  };
  void holdLeadership({
    url: databaseUrl,
    leadership: "waves",
    logger: context.logger,
    signal: context.signal,
    lead,
  });
  return { wake: () => loop?.wake() };
}
