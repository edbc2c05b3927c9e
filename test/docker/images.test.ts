import { createHmac, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { blobPath } from "@ngpu/image-store/blobs";
import { type BuiltImage, buildAll } from "@ngpu/image-store/build";
import { expect } from "chai";
import Docker from "dockerode";
import express, { type RequestHandler } from "express";
import type { DiskResult } from "../../images/probe/disk.ts";
import { registryRouter } from "../../services/registry/router.ts";
import { type Completion, chunksOf, jsonOf, until } from "../images/helpers.ts";
import { makeCheckout, repoRoot } from "../packages/image-store/helpers.ts";
import { runCli } from "../support/runCli.ts";
import { startPushMarket } from "./pushMarket.ts";

const docker = new Docker();

/** A registry over the store, with an optional handler before it. */
async function serve(storeDir: string, before: RequestHandler = (_request, _response, next) => next()) {
  const app = express().use(before).use(registryRouter({ storeDir }));
  const server = await new Promise<Server>((resolve) => {
    const listening = app.listen(0, "127.0.0.1", () => resolve(listening));
  });
  return { server, host: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function stop(server: Server | undefined): void {
  server?.closeAllConnections();
  server?.close();
}

/** Pulls as a node does. The engine reports a failed pull in an event, not in the status. */
async function pull(reference: string): Promise<void> {
  const progress = await docker.pull(reference);
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error, events: { error?: string }[]) => {
      const failure = events?.find((event) => event.error !== undefined)?.error;
      if (error || failure !== undefined) reject(error ?? new Error(failure));
      else resolve();
    });
  });
}

async function start(reference: string, env: string[], created: Docker.Container[]) {
  const container = await docker.createContainer({
    Image: reference,
    User: "65534:65534",
    Env: env,
    HostConfig: {
      PortBindings: { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges:true"],
      ReadonlyRootfs: true,
      Tmpfs: { "/tmp": "rw,noexec,nosuid,size=16m" },
      Memory: 192 << 20,
      MemorySwap: 192 << 20,
      NanoCpus: 1_000_000_000,
      PidsLimit: 64,
    },
  });
  created.push(container);
  await container.start();
  const { NetworkSettings } = await container.inspect();
  const port = NetworkSettings.Ports["8080/tcp"]?.[0]?.HostPort;
  const url = `http://127.0.0.1:${port}`;
  await until(
    async () =>
      fetch(`${url}/healthz`).then(
        (response) => response.ok,
        () => false,
      ),
    15_000,
  );
  return { container, url };
}

describe("images on a real engine", function () {
  this.timeout(90_000);
  let dir: string;
  let server: Server | undefined;
  let host: string;
  let images: Map<string, BuiltImage>;
  const containers: Docker.Container[] = [];
  const references: string[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "ngpu-engine-"));
    const storeDir = join(dir, "store");
    images = new Map((await buildAll({ repoRoot, storeDir })).map((image) => [image.reference, image]));
    ({ server, host } = await serve(storeDir));
  });
  after(async () => {
    stop(server);
    for (const container of containers) await container.remove({ force: true, v: true });
    for (const reference of references) await docker.getImage(reference).remove();
    await rm(dir, { recursive: true });
  });

  async function run(name: string, env: string[] = []) {
    const image = images.get(name);
    if (!image) throw new Error(`no image ${name}`);
    const reference = `${host}/${image.repository}@${image.digest}`;
    await pull(reference);
    references.push(reference);
    return { ...(await start(reference, env, containers)), reference, image };
  }

  describe("chat", () => {
    let chat: Awaited<ReturnType<typeof run>>;

    before(async () => {
      chat = await run("chat");
    });

    it("is pulled by its digest, which the engine lists", async () => {
      const { RepoDigests } = await docker.getImage(chat.reference).inspect();
      expect(RepoDigests).to.include(chat.reference);
    });

    it("streams a completion within its resource limits", async () => {
      const response = await fetch(`${chat.url}/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify({
          model: "ngpu-ngram-1",
          messages: [{ role: "user", content: "What is a lease?" }],
          stream: true,
          seed: 1,
          max_tokens: 40,
        }),
      });
      const chunks = chunksOf(await response.text());
      const text = chunks.map((chunk: Completion) => chunk.choices[0]?.delta.content ?? "").join("");
      expect(text).to.match(/\w+ \w+/);
      expect(chunks.at(-1)?.choices[0]?.finish_reason).to.be.oneOf(["stop", "length"]);
    });

    it("exits on SIGTERM before the engine kills it", async () => {
      await chat.container.stop({ t: 10 });
      const { State } = await chat.container.inspect();
      expect(State.ExitCode).to.equal(0);
    });
  });

  describe("probe", () => {
    const token = randomBytes(16).toString("hex");
    const headers = { Authorization: `Bearer ${token}` };
    let probe: Awaited<ReturnType<typeof run>>;

    before(async () => {
      probe = await run("probe", [`PROBE_TOKEN=${token}`]);
    });

    it("proves that its container serves the port", async () => {
      const nonce = randomBytes(16).toString("hex");
      const answer = await jsonOf<{ hmac: string }>(
        fetch(`${probe.url}/challenge?nonce=${nonce}`, { headers }),
      );
      expect(answer.hmac).to.equal(createHmac("sha256", token).update(nonce).digest("hex"));
      expect((await fetch(`${probe.url}/challenge?nonce=${nonce}`)).status).to.equal(401);
    });

    it("transfers bytes in both directions", async () => {
      const down = await fetch(`${probe.url}/download?bytes=20000000`, { headers });
      expect((await down.arrayBuffer()).byteLength).to.equal(20_000_000);
      const body = randomBytes(5_000_000);
      const up = await jsonOf<{ bytes: number }>(
        fetch(`${probe.url}/upload`, { method: "POST", headers, body }),
      );
      expect(up.bytes).to.equal(body.length);
    });

    it("measures the volume that the engine created for it, and can write nowhere else", async () => {
      const measuring = fetch(`${probe.url}/disk?mib=32`, { method: "POST", headers });
      const disk = await jsonOf<DiskResult>(measuring);
      expect(disk.verified).to.equal(true);
      expect(disk.freeBytes).to.be.greaterThan(0);
      expect(disk.writeMibps).to.be.greaterThan(0);
      const { Mounts, HostConfig } = await probe.container.inspect();
      expect(Mounts.map(({ Type, Destination, RW }) => [Type, Destination, RW])).to.deep.equal([
        ["volume", "/data", true],
      ]);
      expect(HostConfig.ReadonlyRootfs).to.equal(true);
    });
  });

  describe("pushed with ngpu push", () => {
    it("is pulled by everybody under the printed digest, and a second push sends no layer again", async () => {
      const chat = images.get("chat");
      const local = `${host}/${chat?.repository}@${chat?.digest}`;
      await pull(local);
      await using market = await startPushMarket(join(dir, "pushed"));
      const env = { ...market.env, DOCKER_HOST: process.env.DOCKER_HOST ?? "unix:///var/run/docker.sock" };
      const push = (key = env.NGPU_API_KEY) =>
        runCli(["push", local, "--json"], { env: { ...env, NGPU_API_KEY: key } });
      const first = await push();
      expect(first.stderr).to.include(": Pushed");
      const { image } = JSON.parse(first.stdout) as { image: string };
      expect(image).to.match(new RegExp(`^${market.host}/${market.account}/chat@sha256:[0-9a-f]{64}$`));
      await pull(image);
      expect((await docker.getImage(image).inspect()).RepoDigests).to.include(image);
      const again = await push();
      expect(JSON.parse(again.stdout)).to.have.property("image", image);
      expect(again.stderr).to.include("Layer already exists").and.not.include(": Pushed");
      const refused = await push(`ngpu_${"0".repeat(16)}_${"0".repeat(64)}`);
      expect(refused.stderr).to.include("image_push_failed");
      const away = { ...env, DOCKER_HOST: "unix:///nowhere.sock" };
      expect((await runCli(["push", local], { env: away })).stderr).to.include("docker_not_running");
    });
  });

  describe("over an unreliable connection", () => {
    it("resumes an interrupted pull", async () => {
      // A layer that no engine has and that does not compress.
      const big = randomBytes(24 << 20);
      const root = await makeCheckout(join(dir, "resumed"), { "server.ts": "", "big.bin": big });
      const storeDir = join(dir, "store");
      const [image] = await buildAll({ repoRoot: root, storeDir });
      const layer = image?.layers[1]?.digest ?? "";
      const ranges: (string | undefined)[] = [];
      const line = await serve(storeDir, (request, response, next) => {
        if (!request.path.endsWith(layer)) return next();
        ranges.push(request.headers.range);
        if (ranges.length === 1) cutAfter(response, 8 << 20);
        next();
      });
      const reference = `${line.host}/${image?.repository}@${image?.digest}`;
      try {
        await pull(reference);
        references.push(reference);
        expect(ranges.length).to.be.greaterThan(1);
        expect(ranges[1]).to.match(/^bytes=[1-9]\d*-/);
      } finally {
        stop(line.server);
      }
    });

    it("rejects a blob that does not match its digest", async () => {
      const root = await makeCheckout(join(dir, "corrupt"), {
        "server.ts": `${randomBytes(8).toString("hex")};\n`,
      });
      const storeDir = join(dir, "store");
      const [image] = await buildAll({ repoRoot: root, storeDir });
      const layer = image?.layers[1];
      if (!image || !layer) throw new Error("no image was built");
      await writeFile(blobPath(storeDir, layer.digest), randomBytes(layer.sizeBytes));
      const reference = `${host}/${image.repository}@${image.digest}`;
      const failure = await pull(reference).catch((error: Error) => error);
      expect(failure).to.be.instanceOf(Error);
      expect(String(failure)).to.match(/verif|digest|unexpected/i);
      const found = await docker
        .getImage(reference)
        .inspect()
        .catch((error: { statusCode: number }) => error.statusCode);
      expect(found).to.equal(404);
    });
  });
});

/** Closes the connection after `bytes` bytes. */
function cutAfter(response: Parameters<RequestHandler>[1], bytes: number): void {
  const write = response.write.bind(response);
  let left = bytes;
  response.write = ((chunk: Buffer, ...rest: []) => {
    left -= chunk.length;
    const taken = write(chunk, ...rest);
    if (left <= 0) response.socket?.destroySoon();
    return taken;
  }) as typeof response.write;
}
