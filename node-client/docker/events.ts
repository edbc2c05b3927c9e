import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { messageOf } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import { rest } from "@ngpu/runtime/loop";
import { calling, type Engine } from "./engine.ts";

/** Calls `onEvent` at each change of one of our containers. A hint only: whoever acts on it looks for himself. */
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
        // A stream that is only destroyed leaves whoever waits for its next line waiting for ever.
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
