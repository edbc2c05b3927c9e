import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { calling, type Engine } from "./engine.ts";

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
      const lines = createInterface({ input: stream });
      const abort = () => {
        // Destroying the stream alone does not end the iteration over its lines.
        lines.close();
        stream.destroy();
      };
      signal.addEventListener("abort", abort, { once: true });
      onEvent();
      for await (const _line of lines) onEvent();
      signal.removeEventListener("abort", abort);
    } catch (error) {
      if (!signal.aborted) logger.debug({ event: "engine_events_broken", reason: messageOf(error) });
    }
    await rest(1_000, signal);
  }
}
