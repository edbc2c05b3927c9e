import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { FatalError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import { startDocker } from "../../scripts/embedded/docker.ts";
import { queryEngine, unusable } from "../../scripts/embedded/dockerEngine.ts";
import { temporaryDir } from "./setup.ts";

const print = () => undefined;

async function errorOf(stateDir: string, dockerHost: string): Promise<unknown> {
  return startDocker({ stateDir, print, dockerHost }).catch((error: unknown) => error);
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve) => server.listen(path, resolve));
}

describe("Docker engine", () => {
  it("is rejected on another machine", async () => {
    using dir = temporaryDir();
    const error = await errorOf(dir.path, "tcp://10.0.0.1:2375");
    expect(error).to.be.instanceOf(FatalError).with.property("code", "docker_host_remote");
  });

  it("is not started instead of the one in DOCKER_HOST", async () => {
    using dir = temporaryDir();
    const error = await errorOf(dir.path, `unix://${dir.path}/none.sock`);
    expect(error).to.be.instanceOf(FatalError).with.property("code", "docker_not_running");
  });

  it("counts as silent when it accepts the connection and does not respond", async () => {
    using dir = temporaryDir();
    const path = join(dir.path, "silent.sock");
    const server = createServer();
    await listen(server, path);
    const answer = await queryEngine(path, 300);
    server.close();
    expect(answer).to.deep.equal({ kind: "silent", reason: "no answer within 0.3 s" });
    expect(unusable({ kind: "silent", reason: "no answer" }, path))
      .to.have.property("hint")
      .that.includes("Restart it");
  });

  it("counts as silent when another server responds", async () => {
    using dir = temporaryDir();
    const path = join(dir.path, "other.sock");
    const server = createServer((socket) =>
      socket.end("HTTP/1.1 500 Broken\r\ncontent-length: 6\r\n\r\nbroken"),
    );
    await listen(server, path);
    const answer = await queryEngine(path);
    server.close();
    expect(answer.kind).to.equal("silent");
  });
});
