import type { Readable } from "node:stream";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { calling, type Engine } from "./engine.ts";
import { linesOf } from "./lines.ts";

/** Calls `onEvent` at each change of one of this node's containers. A hint only: the caller reads the state itself. */
export async function watchEngine(
  engine: Engine,
  options: { signal: AbortSignal; logger: Logger; onEvent: () => void },
): Promise<void> {
  const { signal, logger, onEvent } = options;
  const filters = { type: ["container" as const], label: [`ngpu.node=${engine.node}`] };
  while (!signal.aborted) {
    try {
      const stream = (await calling(engine.docker, () => engine.docker.getEvents({ filters }))) as Readable;
      onEvent();
      for await (const _line of linesOf(stream, signal)) onEvent();
    } catch (error) {
      // Without events for the deadline of the engine, the stream is opened again: it may have been silent.
      if (!signal.aborted) logger.debug({ event: "engine_events_broken", reason: messageOf(error) });
    }
    await rest(1_000, signal);
  }
}
