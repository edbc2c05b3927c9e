import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import getPort from "get-port";
import { runToEnd } from "../../../scripts/embedded/command.ts";
import { ensureProgram, installMissing } from "../../../scripts/embedded/install.ts";
import { startProcess } from "../../../scripts/embedded/process.ts";
import { testStateDir } from "../../support/parts.ts";
import { programEnv } from "../../support/programEnv.ts";
import { installPackages } from "../npmPackage.ts";

export type Peer = { name: string; version: string; url: string; stop: () => Promise<void> };

type Setting = { folder: string; backend: number; port: number };

const packages = { "@fastify/http-proxy": "11.6.3", fastify: "5.12.8" };

const programs = {
  nginx: { program: "nginx", packages: ["nginx-light"] },
  haproxy: { program: "haproxy", packages: ["haproxy"] },
  caddy: { program: "caddy", packages: ["caddy"] },
  sshd: { program: "sshd", packages: ["openssh-server"] },
  ssh: { program: "ssh", packages: ["openssh-client"] },
  wrk: { program: "wrk", packages: ["wrk"] },
};

/** Installs what the benchmark compares with and measures by, as a market's own programs. @returns their paths */
export async function installPrograms(): Promise<Record<keyof typeof programs, string>> {
  const print = (line: string) => void process.stderr.write(`${line}\n`);
  await installMissing({ programs: Object.values(programs), print });
  const found = Object.entries(programs).map(
    async ([name, program]) => [name, await ensureProgram({ ...program, print })] as const,
  );
  return Object.fromEntries(await Promise.all(found)) as Record<keyof typeof programs, string>;
}

/** Starts the plain proxies and the plain tunnel, each in front of the same backend. */
export async function startPeers(
  paths: Record<keyof typeof programs, string>,
  { folder, backend, npm }: { folder: string; backend: number; npm: string },
): Promise<Peer[]> {
  const setting = async () => ({ folder, backend, port: await getPort() });
  const installed = await installPackages(join(npm, "gateway"), packages);
  return [
    await startNginx(paths.nginx, await setting()),
    await startHaproxy(paths.haproxy, await setting()),
    await startCaddy(paths.caddy, await setting()),
    await startFastify(installed, await setting()),
    await startSsh(paths, await setting()),
  ];
}

async function startNginx(path: string, { folder, backend, port }: Setting): Promise<Peer> {
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `daemon off; worker_processes auto; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path ${folder}/nginx-body; proxy_temp_path ${folder}/nginx-proxy;
  keepalive_requests 1000000000;
  upstream backend { server 127.0.0.1:${backend}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`,
  );
  return startPeer({ name: "nginx", command: path, args: ["-c", file, "-p", folder], port, version: ["-v"] });
}

async function startHaproxy(path: string, { folder, backend, port }: Setting): Promise<Peer> {
  const file = join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    `defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
listen proxy
  bind 127.0.0.1:${port}
  server backend 127.0.0.1:${backend}
`,
  );
  return startPeer({ name: "haproxy", command: path, args: ["-db", "-f", file], port, version: ["-v"] });
}

async function startCaddy(path: string, { folder, backend, port }: Setting): Promise<Peer> {
  const file = join(folder, "Caddyfile");
  writeFileSync(
    file,
    `{
  admin off
  auto_https off
}
http://127.0.0.1:${port} {
  reverse_proxy 127.0.0.1:${backend}
}
`,
  );
  const args = ["run", "--config", file, "--adapter", "caddyfile"];
  return startPeer({ name: "caddy", command: path, args, port, version: ["version"], env: { HOME: folder } });
}

async function startFastify(installed: string, { backend, port }: Setting): Promise<Peer> {
  const program = join(import.meta.dirname, "peers/fastify.mjs");
  const args = [program, installed, String(port), String(backend)];
  const peer = await startPeer({ name: "fastify", command: process.execPath, args, port });
  const version = `@fastify/http-proxy ${packages["@fastify/http-proxy"]} on Node ${process.version}`;
  return { ...peer, name: "@fastify/http-proxy", version };
}

/** A connection from "the node" to an sshd, through which sshd's side reaches the backend. */
async function startSsh(
  paths: Record<"ssh" | "sshd", string>,
  { folder, backend, port }: Setting,
): Promise<Peer> {
  const sshPort = await getPort();
  const keys = { host: join(folder, "host_key"), own: join(folder, "own_key") };
  for (const file of Object.values(keys)) {
    rmSync(file, { force: true });
    await runToEnd("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  }
  // sshd's own folder for the separation of privileges.
  mkdirSync("/run/sshd", { recursive: true });
  const file = join(folder, "sshd_config");
  writeFileSync(
    file,
    `Port ${sshPort}
ListenAddress 127.0.0.1
HostKey ${keys.host}
AuthorizedKeysFile ${keys.own}.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
AllowTcpForwarding yes
`,
  );
  const server = await startPeer({
    name: "sshd",
    command: paths.sshd,
    args: ["-D", "-e", "-f", file],
    port: sshPort,
  });
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"];
  const args = [
    "-N",
    "-T",
    "-p",
    String(sshPort),
    "-i",
    keys.own,
    ...options.flatMap((option) => ["-o", option]),
    "-R",
    `127.0.0.1:${port}:127.0.0.1:${backend}`,
    "127.0.0.1",
  ];
  const client = await startPeer({ name: "ssh", command: paths.ssh, args, port, version: ["-V"] });
  const stop = async () => {
    await client.stop();
    await server.stop();
  };
  return { ...client, name: "ssh -R", stop };
}

async function startPeer(given: {
  name: string;
  command: string;
  args: string[];
  port: number;
  version?: string[];
  env?: Record<string, string>;
}): Promise<Peer> {
  const { name, command, args, port } = given;
  const running = await startProcess({
    name: `peer-${name}`,
    command,
    args,
    stateDir: await testStateDir(),
    env: { ...programEnv(), ...given.env },
    ready: (signal) => isOpen(port, signal),
  });
  const version =
    given.version === undefined ? "" : ((await runToEnd(command, given.version)).output.split("\n")[0] ?? "");
  return { name, version, url: `http://127.0.0.1:${port}`, stop: running.stop };
}

export function isOpen(port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, signal });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
