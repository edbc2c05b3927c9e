import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type Docker from "dockerode";
import {
  createContainer,
  ensureNetwork,
  removeContainer,
  startContainer,
} from "../../../node-client/docker/containers.ts";
import type { Engine } from "../../../node-client/docker/engine.ts";
import { createDemultiplexer } from "../../../node-client/docker/logs.ts";
import { workspaceContainer } from "../../../node-client/docker/sandbox.ts";
import type { Assignment } from "../../../node-client/leases.ts";
import type { Plan } from "../../../node-client/reconcileFacts.ts";

import { programs } from "./programs.ts";

type Runnable = Extract<Plan, { type: "runnable" }>;

const image = "ngpu-test-hostile";

/** Imports an image that holds Node, which attacks are written for, and programs of single system calls. */
export async function importHostileImage(docker: Docker): Promise<void> {
  const libraries = execFileSync("ldd", [process.execPath], { encoding: "utf8" }).match(/\/\S+/g) ?? [];
  const folder = mkdtempSync(join(tmpdir(), "ngpu-hostile-"));
  mkdirSync(join(folder, "attack"));
  for (const [name, program] of Object.entries(programs))
    writeFileSync(join(folder, "attack", name), program, { mode: 0o755 });
  const files = ["--mode=a+rx", "-chf", "-", process.execPath, ...libraries, "-C", folder, "attack"];
  const tar = execFileSync("tar", files, {
    maxBuffer: 2 ** 29,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const progress = await docker.importImage(Readable.from([tar]), { repo: image });
  rmSync(folder, { recursive: true });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()));
  });
}

export type Limits = Partial<Pick<Runnable, "cpuMilli" | "memoryMib" | "diskGib">>;

let leases = 0;

/** Serves HTTP. `/log` first prints more than the engine keeps. */
const server = `
  const part = ("x".repeat(1023) + "\\n").repeat(1024);
  require("http").createServer((request, answer) => {
    if (request.url === "/log") for (let mib = 0; mib < 48; mib += 1) process.stdout.write(part);
    process.stdout.write("", () => answer.end("served"));
  }).listen(8080);`;

/** Starts a container of a lease exactly as the client describes it. It answers HTTP on its port and waits for attacks. */
export async function startTenant(engine: Engine, limits: Limits = {}) {
  const { id: network } = await ensureNetwork(engine);
  leases += 1;
  const lease = { workspaceId: 1n, replica: 0, lease: leases, fence: "0x01" } as unknown as Assignment;
  const config = { image, ports: [8080], env: {}, health: "/", command: [process.execPath, "-e", server] };
  const size = { cpuMilli: 1_000, memoryMib: 256, diskGib: 1, ...limits };
  const plan = { type: "runnable", reference: image, ...size, config } as unknown as Runnable;
  const user = "65534:65534";
  const id = await createContainer(
    engine,
    workspaceContainer(engine, { lease, plan, gpuUuids: [], network, user }),
  );
  await startContainer(engine, id);
  const container = engine.docker.getContainer(id);
  const { NetworkSettings } = await container.inspect();
  const address = Object.values(NetworkSettings.Networks)[0]?.IPAddress ?? "";
  const hostPort = Number(NetworkSettings.Ports["8080/tcp"]?.[0]?.HostPort);
  return {
    container,
    address,
    hostPort,
    attack: (script: string) => attack(container, script),
    /** Runs a program of the image. @returns its exit code */
    run: (name: string) => run(container, name),
    end: () => removeContainer(engine, id),
  };
}

export type Tenant = Awaited<ReturnType<typeof startTenant>>;

/** Runs a script in a tenant's container. @returns the JSON that it prints with `done(…)`. */
async function attack(container: Docker.Container, script: string): Promise<unknown> {
  const source = `${helpers}\n(async () => { ${script} })().catch((error) => done(String(error)));`;
  const exec = await container.exec({
    Cmd: [process.execPath, "-e", source],
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({});
  const output = createDemultiplexer(2 ** 20);
  for await (const chunk of stream as AsyncIterable<Buffer>) output.take(chunk);
  const text = output.text();
  const printed = /^result (.*)$/m.exec(text)?.[1];
  if (printed === undefined) throw new Error(`The attack printed no result: ${text}`);
  return JSON.parse(printed);
}

async function run(container: Docker.Container, name: string): Promise<number | null> {
  const exec = await container.exec({ Cmd: [`/attack/${name}`], AttachStdout: true, AttachStderr: true });
  for await (const _ of (await exec.start({})) as AsyncIterable<Buffer>);
  return (await exec.inspect()).ExitCode;
}

/** What every attack may use. Without an answer in 1.5 s an address counts as closed. */
const helpers = `
const { connect } = require("node:net");
const { createSocket } = require("node:dgram");
const done = (result) => { console.log("result " + JSON.stringify(result)); process.exit(); };
const tcp = (host, port) => new Promise((resolve) => {
  const socket = connect({ host, port, timeout: 1500 });
  socket.once("connect", () => { socket.destroy(); resolve("open"); });
  socket.once("error", (error) => resolve(error.code));
  socket.once("timeout", () => { socket.destroy(); resolve("closed"); });
});
const udp = (host, port) => new Promise((resolve) => {
  const socket = createSocket("udp4");
  socket.once("error", (error) => resolve(error.code));
  socket.once("message", () => resolve("open"));
  socket.send("x", port, host);
  setTimeout(() => resolve("closed"), 1500);
});
`;

/** Whether a tenant reaches each address, over TCP and, where a port is given, over UDP. */
export async function reaches(tenant: Tenant, addresses: string[], port = 80, udpPort?: number) {
  const asked = JSON.stringify(addresses);
  const script = `done(await Promise.all(${asked}.flatMap((address) =>
    [tcp(address, ${port}), ${udpPort === undefined ? "" : `udp(address, ${udpPort})`}])));`;
  return (await tenant.attack(script)) as string[];
}
