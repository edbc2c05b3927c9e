import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import Docker from "dockerode";
import { openEngine } from "../../../node-client/docker/engine.ts";
import type { HostShell } from "../../../node-client/walls/hostShell.ts";
import { startDaemon } from "../../../scripts/embedded/dockerDaemon.ts";
import { findProgram } from "../../../scripts/embedded/install.ts";
import type { Servers } from "./serve.ts";

/** Addresses that a tenant must not reach, and what each is in the world. */
export const forbidden = {
  "the cloud's metadata": "169.254.169.254",
  "Azure's host services": "168.63.129.16",
  "a cloud's metadata in the carrier's range": "100.100.100.200",
  "a router of the operator": "192.168.77.1",
  "a data centre's network": "10.1.2.3",
  "another private network": "172.31.9.9",
  "a benchmark network": "198.18.0.5",
};
export const metadata6 = "fd00:ec2::254";
/** An address of the internet, and the resolver that the machine uses. */
export const publicAddress = "93.184.216.34";
export const resolver = "10.53.0.53";
/** The machine's own public address. */
export const ownAddress = "8.8.100.1";
export const multicast = { group: "224.0.0.251", port: 5_353 };

/**
 * A machine with a Docker engine in network namespaces of its own, behind it a world with networks of every kind.
 * Needs root.
 */
export async function startMachine() {
  const dir = mkdtempSync(join(tmpdir(), "ngpu-tenant-"));
  // In memory: the image is some 120 MB, which a busy disk takes minutes to write.
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1g", "tmpfs", dir]);
  const stateDir = join(dir, "state");
  mkdirSync(stateDir);
  const children: ChildProcess[] = [];
  const engine = await startDaemon(isolatedDockerd(dir), { stateDir });
  const pid = engine.process?.pid ?? 0;
  const inside = (...command: string[]) =>
    execFileSync("nsenter", ["--target", String(pid), "--net", "--mount", ...command], { encoding: "utf8" });
  const world = spawn("unshare", ["--net", "sleep", "infinity"], { stdio: "ignore" });
  children.push(world);
  connectWorld(world, inside);
  const serve = async (of: number, servers: Servers) => {
    const child = serveIn(of, servers);
    children.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
    while (!lines.includes("ready")) await once(child.stdout, "data");
    return lines;
  };
  const everywhere = [...Object.values(forbidden), publicAddress, resolver];
  await serve(world.pid ?? 0, {
    tcp: [...everywhere, metadata6].map((address) => [address, 80]),
    udp: everywhere.map((address) => [address, 9_999]),
    dns: { address: resolver, answer: publicAddress },
  });
  return {
    dir,
    docker: new Docker({ socketPath: engine.socketPath }),
    engine: openEngine({ socket: engine.socketPath, market: "aaaaaaaa", node: "0x01" }),
    /** Runs a command in the machine's network. @returns what it prints */
    inside,
    /** The machine's shell, with root's rights. */
    shell: (async (script, args = []) => inside("sh", "-c", script, "sh", ...args)) as HostShell,
    /** What a port of the machine answers over HTTP, asked from the machine itself. */
    get: (port: number, path = "/") =>
      inside(process.execPath, "-e", fetching, `http://127.0.0.1:${port}${path}`),
    /** Starts servers in the machine's network. @returns the lines that they print */
    serve: (servers: Servers) => serve(pid, servers),
    async stop(): Promise<void> {
      await engine.stop();
      for (const child of children) child.kill("SIGKILL");
      execFileSync("umount", ["--recursive", "--lazy", dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const fetching =
  "fetch(process.argv[1]).then((answer) => answer.text()).then((text) => process.stdout.write(text))";

export type Machine = Awaited<ReturnType<typeof startMachine>>;

/** dockerd with a network of its own, and a resolver that only that network reaches. */
function isolatedDockerd(dir: string): string {
  const path = join(dir, "dockerd");
  writeFileSync(join(dir, "resolv.conf"), `nameserver ${resolver}\n`);
  const mounts = [
    `mount --bind ${dir}/resolv.conf /etc/resolv.conf`,
    // Or the engine would take the resolvers of systemd-resolved.
    "if [ -d /run/systemd/resolve ]; then mount -t tmpfs tmpfs /run/systemd/resolve; fi",
    "ip link set lo up",
  ].join(" && ");
  const script = `${mounts} && exec ${findProgram("dockerd")} "$@"`;
  writeFileSync(path, `#!/bin/sh\nexec unshare --net --mount sh -c '${script}' sh "$@"\n`, { mode: 0o755 });
  return path;
}

/** The machine's uplink leads into the world, which has every address. */
function connectWorld(world: ChildProcess, inside: (...command: string[]) => string): void {
  const outside = (...command: string[]) =>
    execFileSync("nsenter", ["--target", String(world.pid), "--net", ...command], { encoding: "utf8" });
  inside("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "world", "netns", String(world.pid));
  inside("ip", "address", "add", `${ownAddress}/24`, "dev", "uplink");
  inside("ip", "link", "set", "uplink", "up");
  outside("ip", "link", "set", "lo", "up");
  outside("ip", "address", "add", "8.8.100.2/24", "dev", "world");
  outside("ip", "link", "set", "world", "up");
  for (const address of [...Object.values(forbidden), publicAddress, resolver])
    outside("ip", "address", "add", `${address}/32`, "dev", "lo");
  outside("ip", "address", "add", `${metadata6}/128`, "dev", "lo", "nodad");
  inside("ip", "route", "add", "default", "via", "8.8.100.2");
}

function serveIn(pid: number, servers: Servers) {
  const program = join(import.meta.dirname, "serve.ts");
  const command = [process.execPath, program, JSON.stringify(servers)];
  return spawn("nsenter", ["--target", String(pid), "--net", ...command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}
