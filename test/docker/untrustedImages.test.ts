import { randomBytes } from "node:crypto";
import type { Readable } from "node:stream";
import { expect } from "chai";
import Docker from "dockerode";
import { pack } from "tar-stream";
import {
  createContainer,
  inspectOwn,
  listContainers,
  removeContainer,
  startContainer,
} from "../../node-client/docker/containers.ts";
import { type Engine, openEngine } from "../../node-client/docker/engine.ts";
import { pullImage } from "../../node-client/docker/images.ts";
import { removeInspected, resolveUser } from "../../node-client/docker/imageUser.ts";
import { workspaceContainer } from "../../node-client/docker/sandbox.ts";
import type { Assignment } from "../../node-client/leases.ts";
import type { Plan } from "../../node-client/reconcileFacts.ts";
import { engineSocket } from "../../scripts/embedded/dockerEngine.ts";
import { openRegistry, removeMarket } from "./node/market.ts";

type FileHeader = Parameters<ReturnType<typeof pack>["entry"]>[0];
type Runnable = Extract<Plan, { type: "runnable" }>;

const docker = new Docker();
const node = "/usr/local/bin/node";

describe("an image of a stranger on a real engine", function () {
  this.timeout(120_000);
  const market = randomBytes(4).toString("hex");
  const engine: Engine = openEngine({
    socket: engineSocket(process.env.DOCKER_HOST),
    market,
    node: "0x01234567",
  });
  const built: string[] = [];
  let registry: Awaited<ReturnType<typeof openRegistry>>;
  let base: string;

  before(async () => {
    registry = await openRegistry();
    base = registry.referenceOf("chat");
    const signal = new AbortController().signal;
    await pullImage(engine, base, { sizeBytes: undefined, onProgress: () => undefined, signal });
  });
  after(async () => {
    await removeMarket(market);
    for (const id of built) await docker.getImage(id).remove({ force: true });
    registry.stop();
  });
  afterEach(() => removeMarket(market));

  /** The repository's image with other files and other instructions. */
  const imageOf = async (instructions: string[], files: [FileHeader, string?][] = []): Promise<string> => {
    const container = await docker.createContainer({ Image: base, Labels: { "ngpu.market": market } });
    const archive = pack();
    for (const [header, text] of files) archive.entry(header, text ?? "");
    archive.finalize();
    if (files.length > 0) await container.putArchive(archive as unknown as Readable, { path: "/" });
    const { Id } = await container.commit({ changes: instructions.join("\n") });
    await container.remove();
    built.push(Id);
    return Id;
  };

  const userOf = async (instructions: string[], files: [FileHeader, string?][] = []) => {
    const id = await imageOf(instructions, files);
    const { Config } = await docker.getImage(id).inspect();
    const image = { id, user: Config.User, sizeBytes: 1, platform: undefined, volumes: [] };
    const user = await resolveUser(engine, image, new Map());
    const label = [`ngpu.market=${market}`];
    expect(await docker.listContainers({ all: true, filters: { label } })).to.deep.equal([]);
    return { id, user };
  };

  type RunOptions = { image: string; user: string; paths?: string[]; diskGib?: number; memoryMib?: number };

  /** A script in a container of a lease, as the engine is asked for it. */
  const describedAs = (options: RunOptions, script: string) => {
    const lease = { workspaceId: 1n, replica: 0, lease: 1, fence: "0x01" } as unknown as Assignment;
    const { image, user, paths = [], diskGib = 1, memoryMib = 256 } = options;
    const config = { image, ports: [8080], env: {}, health: "/", command: [node, "-e", script] };
    const plan = { type: "runnable", reference: image, cpuMilli: 1_000, memoryMib, diskGib, config };
    return (storage: "disk" | "memory") =>
      workspaceContainer(engine, {
        lease,
        plan: plan as unknown as Runnable,
        gpuUuids: [],
        user,
        network: "none",
        volumes: { paths, storage },
      });
  };

  /** Runs a script in a container of a lease. @returns what it prints */
  const run = async (options: RunOptions, script: string) => {
    const described = describedAs(options, script);
    const id = await createContainer(engine, described("disk")).catch(() =>
      createContainer(engine, described("memory")),
    );
    const container = docker.getContainer(id);
    await startContainer(engine, id);
    await container.wait();
    const logs = (await container.logs({ stdout: true, stderr: true })) as unknown as Buffer;
    const { Mounts } = await container.inspect();
    await removeContainer(engine, id);
    return { text: logs.toString("latin1"), volumes: Mounts.flatMap(({ Name }) => Name ?? []) };
  };

  const passwd = (text: string): [FileHeader, string] => [{ name: "etc/passwd", mode: 0o644 }, text];

  it("runs as nobody when the user that it names is root", async () => {
    const { id, user } = await userOf(["USER toor"], [passwd("root:x:0:0::/:\ntoor:x:0:0::/:/bin/sh\n")]);
    expect(user).to.equal("65534:65534");
    const { text } = await run({ image: id, user }, "console.log('uid', process.getuid())");
    expect(text).to.include("uid 65534");
  });

  it("runs as its own user otherwise, also through a symbolic link", async () => {
    const files: [FileHeader, string?][] = [
      [{ name: "usr/people", mode: 0o644 }, "app:x:1234:1234::/:/bin/sh\n"],
      [{ name: "etc/passwd", type: "symlink", linkname: "../usr/people" }],
    ];
    const { id, user } = await userOf(["USER app"], files);
    expect(user).to.equal("1234");
    const { text } = await run({ image: id, user }, "console.log('uid', process.getuid(), process.getgid())");
    expect(text).to.include("uid 1234 1234");
  });

  it("runs as nobody when its passwd file names no such user, or is no file", async () => {
    expect((await userOf(["USER app"], [passwd("app\n")])).user).to.equal("65534:65534");
    expect((await userOf(["USER other"], [passwd("app:x:5:5::/:\n")])).user).to.equal("65534:65534");
    const loop: [FileHeader, string?] = [{ name: "etc/passwd", type: "symlink", linkname: "passwd" }];
    expect((await userOf(["USER app"], [loop])).user).to.equal("65534:65534");
  });

  it("leaves no container of a client that was killed while it read a file", async () => {
    await docker.createContainer({
      name: `ngpu-${market}-01234567-inspected-1`,
      Image: base,
      Labels: { "ngpu.market": market, "ngpu.node": engine.node, "ngpu.inspected": "sha256:1" },
    });
    await removeInspected(engine);
    const label = [`ngpu.market=${market}`];
    expect(await docker.listContainers({ all: true, filters: { label } })).to.deep.equal([]);
  });

  it("has no say by its labels, its health check or its environment", async () => {
    const image = await imageOf([
      "LABEL ngpu.workspace=7 ngpu.replica=0 ngpu.lease=1 ngpu.fence=0x01 ngpu.probe=1 ngpu.inspected=1 ngpu.walls=1",
      "HEALTHCHECK --interval=1s CMD true",
      "ENV NVIDIA_VISIBLE_DEVICES=all",
      "USER app",
    ]);
    const script = "console.log(process.env.NVIDIA_VISIBLE_DEVICES); setTimeout(() => {}, 60_000)";
    const id = await createContainer(engine, describedAs({ image, user: "65534:65534" }, script)("memory"));
    expect((await listContainers(engine)).map((one) => [one.id, one.workspaceId])).to.deep.equal([[id, 1n]]);
    for (const purpose of ["probe", "inspected", "walls"] as const) {
      expect(await inspectOwn(engine, purpose), purpose).to.deep.equal([]);
    }
    await startContainer(engine, id);
    const { State, Config } = await docker.getContainer(id).inspect();
    expect(State.Health).to.equal(undefined);
    expect(Config.Env)
      .to.include("NVIDIA_VISIBLE_DEVICES=void")
      .and.to.not.include("NVIDIA_VISIBLE_DEVICES=all");
  });

  it("writes to its volumes no more than the disk of its lease, and leaves no volume", async () => {
    const image = await imageOf(["VOLUME /data", "VOLUME /more/data", "VOLUME /tmp"]);
    const script = `
      const { appendFileSync } = require("node:fs");
      const part = Buffer.alloc(2 ** 20);
      for (const path of ["/data", "/more/data", "/tmp"]) {
        let mib = 0;
        try { for (; mib < 2600; mib += 1) appendFileSync(path + "/file", part); }
        catch (error) { console.log(path, mib, error.code); continue; }
        console.log(path, mib, "no error");
      }`;
    // The larger limit is that of the memory: an engine without quotas keeps the volumes there.
    const options = { image, user: "65534:65534", paths: ["/data", "/more/data"], memoryMib: 1_024 };
    const { text, volumes } = await run(options, script);
    for (const path of ["/data", "/more/data", "/tmp"]) {
      const [, mib, code] = new RegExp(`${path} (\\d+) (\\w+)`).exec(text) ?? [];
      expect(code, text).to.equal("ENOSPC");
      expect(Number(mib)).to.be.within(1, 512);
    }
    const { Volumes } = await docker.listVolumes();
    expect(Volumes.filter(({ Name }) => volumes.includes(Name))).to.deep.equal([]);
  });
});
