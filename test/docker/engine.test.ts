import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect } from "chai";
import Docker from "dockerode";
import { startDocker } from "../../scripts/embedded/docker.ts";
import { startDaemon } from "../../scripts/embedded/dockerDaemon.ts";
import { findProgram } from "../../scripts/embedded/install.ts";
import { openState } from "../../scripts/embedded/leftovers.ts";
import { gone, temporaryDir } from "../embedded/setup.ts";

describe("the machine's engine", () => {
  it("is used and keeps running", async () => {
    using dir = temporaryDir();
    const engine = await startDocker({ stateDir: dir.path, print: () => undefined });
    await engine.stop();
    const { Version } = await new Docker({ socketPath: engine.socketPath }).version();
    expect(engine.startedByUs).to.equal(false);
    expect(Version).to.equal(engine.version);
  });
});

describe("an embedded engine", () => {
  before(function () {
    // An engine requires root.
    if (process.getuid?.() !== 0) this.skip();
  });

  it("stops with its containers and leaves nothing running or mounted", async () => {
    using dir = temporaryDir();
    const { release } = await openState(join(dir.path, "state"));
    const engine = await startDaemon(isolatedDockerd(dir.path), { stateDir: join(dir.path, "state") });
    const docker = new Docker({ socketPath: engine.socketPath });
    const container = await sleeper(docker);
    const { State } = await container.inspect();
    await engine.stop();
    release();
    const mounts = execFileSync("cat", ["/proc/self/mounts"], { encoding: "utf8" });
    expect(State.Running).to.equal(true);
    expect(await gone(State.Pid)).to.equal(true);
    expect(mounts).not.to.include(dir.path);
  }).timeout(60_000);
});

/**
 * dockerd in its own network namespace: two engines in one namespace conflict over the bridge and the firewall rules.
 */
function isolatedDockerd(dir: string): string {
  const path = join(dir, "dockerd");
  writeFileSync(path, `#!/bin/sh\nexec unshare --net ${findProgram("dockerd")} "$@"\n`, { mode: 0o755 });
  return path;
}

/** A running container of an image that contains this machine's `sleep`. */
async function sleeper(docker: Docker): Promise<Docker.Container> {
  const sleep = findProgram("sleep") ?? "/bin/sleep";
  const libraries = execFileSync("ldd", [sleep], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  const tar = execFileSync("tar", ["-chf", "-", sleep, ...libraries], {
    maxBuffer: 1e8,
    stdio: ["ignore", "pipe", "ignore"],
  });
  await docker
    .importImage(Readable.from([tar]), { repo: "ngpu-test-sleeper" })
    .then(
      (progress) =>
        new Promise((resolve, reject) =>
          docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve(undefined))),
        ),
    );
  const container = await docker.createContainer({
    Image: "ngpu-test-sleeper",
    Cmd: [sleep, "600"],
    StopTimeout: 1,
  });
  await container.start();
  return container;
}
