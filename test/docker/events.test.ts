import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import { openEngine } from "../../node-client/docker/engine.ts";
import { watchEngine } from "../../node-client/docker/events.ts";
import { engineSocket } from "../../scripts/embedded/dockerEngine.ts";

describe("watching the engine", () => {
  it("ends when the node stops, without a further event", async () => {
    const engine = openEngine({
      socket: engineSocket(process.env.DOCKER_HOST),
      market: "00000000",
      node: "nobody",
    });
    const abort = new AbortController();
    const connected = Promise.withResolvers<void>();
    const watch = watchEngine(engine, {
      signal: abort.signal,
      logger: createLogger("test", "silent"),
      onEvent: connected.resolve,
    });
    await connected.promise;
    abort.abort();
    await watch;
    expect(abort.signal.aborted).to.equal(true);
  });
});
