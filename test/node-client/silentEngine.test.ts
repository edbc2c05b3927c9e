import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NgpuError } from "@ngpu/runtime/errors";
import { createLogger } from "@ngpu/runtime/logger";
import { expect } from "chai";
import {
  createContainer,
  ensureNetwork,
  listContainers,
  removeContainer,
  startContainer,
  stopContainer,
} from "../../node-client/docker/containers.ts";
import { type Engine, engineFacts, openEngine } from "../../node-client/docker/engine.ts";
import { watchEngine } from "../../node-client/docker/events.ts";
import { findImage, pullImage, removeImage } from "../../node-client/docker/images.ts";
import { eventually } from "../services/support/context.ts";

const reference = `registry.example/image@sha256:${"ab".repeat(32)}`;
const silence = 150;

/** Where an engine stops in an answer. */
const steps: Record<string, (response: ServerResponse) => void> = {
  "accepts a call and never answers": () => undefined,
  "answers the head and stops": (response) => response.flushHeaders(),
  "sends half a body and stops": (response) => response.write('{"ServerVersion":'),
  "drops the connection": (response) => response.destroy(),
  "drops the connection in the body": (response) => {
    response.write('{"ServerVersion":');
    setImmediate(() => response.destroy());
  },
};

const pull = (engine: Engine, signal = new AbortController().signal) =>
  pullImage(engine, reference, { sizeBytes: undefined, onProgress: () => undefined, signal });

/** Every call of the client. */
const calls: Record<string, (engine: Engine) => Promise<unknown>> = {
  info: ({ docker }) => engineFacts(docker),
  "a list of containers": listContainers,
  "a creation": (engine) => createContainer(engine, { name: "one", Image: reference }),
  "a start": (engine) => startContainer(engine, "one"),
  "a stop": (engine) => stopContainer(engine, "one"),
  "a removal": (engine) => removeContainer(engine, "one"),
  "a network": ensureNetwork,
  "an image": (engine) => findImage(engine, reference),
  "the removal of an image": (engine) => removeImage(engine, reference),
  "a pull": (engine) => pull(engine),
};

describe("the Docker engine falls silent", () => {
  const folder = mkdtempSync(join(tmpdir(), "engine-"));
  let answer: (response: ServerResponse, path: string) => void = () => undefined;
  let open = 0;
  let engine: Engine;
  const server = createServer((request, response) => answer(response, request.url ?? ""));
  server.on("connection", (socket) => {
    open += 1;
    socket.on("close", () => (open -= 1));
  });

  before(async () => {
    const socket = join(folder, "engine.sock");
    server.listen(socket);
    await once(server, "listening");
    engine = openEngine({ socket, market: "00000000", node: "0x01", silence });
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });

  const failureOf = async (call: Promise<unknown>) => {
    const error = await call.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(NgpuError);
    return (error as NgpuError).code;
  };

  for (const [what, stop] of Object.entries(steps)) {
    it(`and ${what}: every call ends with a typed error, and its connection is closed`, async () => {
      answer = stop;
      const codes = await Promise.all(
        Object.entries(calls).map(async ([name, call]) => [name, await failureOf(call(engine))] as const),
      );
      for (const [name, code] of codes) {
        const isPull = name === "a pull" && code === "image_pull_failed";
        if (!isPull) expect(code, name).to.equal("engine_unreachable");
      }
      await eventually("the end of all connections", () => open === 0);
    });
  }

  it("for one call: others are served", async () => {
    answer = (response, path) => {
      if (path.includes("/containers/")) return;
      response.end('{"ServerVersion":"1","DockerRootDir":"/"}');
    };
    const starting = failureOf(startContainer(engine, "one"));
    expect(await engineFacts(engine.docker)).to.include({ version: "1" });
    expect(await starting).to.equal("engine_unreachable");
  });

  it("in a pull that repeats the same progress: the pull ends and can be repeated", async () => {
    let repeats: NodeJS.Timeout | undefined;
    const line = '{"id":"layer","status":"Downloading","progressDetail":{"current":5,"total":10}}\n';
    answer = (response) => {
      repeats = setInterval(() => response.write(line), 10);
      response.on("close", () => clearInterval(repeats));
    };
    expect(await failureOf(pull(engine))).to.equal("image_pull_failed");
    await eventually("the end of the connection", () => open === 0);
    answer = (response) => response.end(`${line}{"id":"layer","status":"Pull complete"}\n`);
    await pull(engine);
  });

  it("in a pull whose progress is slow: the pull goes on", async () => {
    answer = (response) => {
      let current = 0;
      const timer = setInterval(() => {
        current += 1;
        const progressDetail = { current, total: 12 };
        response.write(`${JSON.stringify({ id: "layer", status: "Downloading", progressDetail })}\n`);
        if (current === 12) {
          clearInterval(timer);
          response.end();
        }
      }, silence / 4);
    };
    await pull(engine);
  });

  it("in a pull that is cancelled: the pull ends at once, and its connection is closed", async () => {
    answer = (response) => response.write('{"id":"layer","status":"Waiting"}\n');
    const cancelled = new AbortController();
    const pulling = failureOf(pull(engine, cancelled.signal));
    await eventually("the pull", () => open > 0);
    cancelled.abort();
    expect(await pulling).to.equal("image_pull_failed");
    await eventually("the end of the connection", () => open === 0);
  });

  it("in the stream of events: it is opened again", async () => {
    let opened = 0;
    answer = (response) => {
      opened += 1;
      response.write("{}\n");
    };
    const stopping = new AbortController();
    let events = 0;
    const watching = watchEngine(engine, {
      signal: stopping.signal,
      logger: createLogger("test", "silent"),
      onEvent: () => {
        events += 1;
      },
    });
    await eventually("a second stream", () => opened === 2);
    expect(events).to.be.greaterThan(2);
    stopping.abort();
    await watching;
    await eventually("the end of the connection", () => open === 0);
  });
});
