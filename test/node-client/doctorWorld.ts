import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { examine } from "../../node-client/doctor/doctor.ts";
import type { Problem } from "../../node-client/doctor/problems.ts";
import { openWorld } from "../../node-client/doctor/world.ts";
import { readDoctorEnv } from "../../node-client/env.ts";
import { toJson } from "../../packages/runtime/json.ts";
import { deploymentDocument } from "../services/support/deployment.ts";

type Answers = Record<string, unknown>;

/** A machine for the doctor: files below a root, programs on PATH, an engine on a socket and a market over HTTP. */
export class Machine {
  readonly dir = mkdtempSync(join(tmpdir(), "ngpu-doctor-"));
  readonly socket = join(this.dir, "docker.sock");
  readonly nodeDir = join(this.dir, "node");
  readonly info = {
    DockerRootDir: this.dir,
    Driver: "overlay2",
    Runtimes: { runc: {} },
    MemoryLimit: true,
    PidsLimit: true,
    CpuCfsQuota: true,
    SecurityOptions: ["name=seccomp,profile=default"],
    HttpProxy: "",
    HttpsProxy: "",
  };
  readonly version = { Version: "28.0.0", ApiVersion: "1.48" };
  /** What the market answers at these paths; a number is a status. */
  readonly market: Answers = {};
  readonly headers: Record<string, string> = {};
  rpc: Record<string, unknown> = {};
  /** Variables of the node. */
  readonly env: Record<string, string> = {};
  private readonly servers: Server[] = [];
  private readonly savedEnv = { ...process.env };
  api = "";

  /** A machine without a problem. */
  async open(): Promise<this> {
    this.file("proc/sys/net/ipv4/ip_forward", "1\n");
    this.file("proc/meminfo", "MemTotal: 64000000 kB\nMemAvailable: 32000000 kB\n");
    this.file("proc/loadavg", "0.10 0.20 0.30 1/100 4242\n");
    this.file(
      "proc/self/limits",
      "Max open files            1048576              1048576              files\n",
    );
    this.file("proc/modules", "overlay 172032 3 - Live 0x0000000000000000\n");
    this.program("dockerd", "echo Docker version 28");
    this.program("iptables", "echo '-N DOCKER'");
    mkdirSync(this.nodeDir, { mode: 0o700 });
    this.key(`0x${"1".repeat(64)}\n`);
    await this.startEngine();
    const rpc = await this.serve((request, response) => this.answerRpc(request, response));
    const other = await this.serve((_request, response) => response.writeHead(404).end());
    this.api = await this.serve((request, response) => this.answer(request.url ?? "", response));
    this.market["/v1/network"] = {
      chainId: 31_337,
      rpcUrls: [rpc],
      deployment: deploymentDocument,
      matchUrls: [other.replace("http", "ws")],
      gatewayUrls: [other],
      probeImage: null,
    };
    this.rpc = {
      eth_chainId: "0x7a69",
      eth_getBlockByNumber: block(Math.floor(Date.now() / 1_000)),
      eth_getLogs: [],
    };
    Object.assign(this.env, {
      NGPU_API: this.api,
      NODE_DIR: this.nodeDir,
      NODE_WALLET: "0x00000000219ab540356cbb839cbe05303d7705fa",
      NODE_DOCKER_SOCKET: this.socket,
    });
    return this;
  }

  /** Writes a file below the machine's root. */
  file(path: string, text: string): void {
    const full = join(this.dir, "root", path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, text);
  }

  /** Puts a shell script on PATH. */
  program(name: string, script: string): void {
    const path = join(this.dir, "bin", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`);
    chmodSync(path, 0o755);
  }

  remove(...path: string[]): void {
    rmSync(join(this.dir, ...path), { recursive: true, force: true });
  }

  key(text: string, mode = 0o600): void {
    const path = join(this.nodeDir, "node.key");
    writeFileSync(path, text);
    chmodSync(path, mode);
  }

  /** Starts an engine on the socket that answers `info` and `version`. */
  async startEngine(): Promise<Server> {
    const server = createServer((request, response) => {
      const body = request.url?.endsWith("/version") ? this.version : this.info;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(body));
    });
    await listening(server, this.socket);
    this.servers.push(server);
    return server;
  }

  /** Starts the control socket of a running client. @returns Stops it. */
  async startClient(status: Answers): Promise<() => void> {
    const server = createServer((_request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ ...healthyStatus, api: this.api, ...status }));
    });
    const path = join(this.nodeDir, "control.sock");
    await listening(server, path);
    this.servers.push(server);
    return () => {
      server.close();
      server.closeAllConnections();
    };
  }

  /** Lets the doctor look at the machine. */
  async examine(): Promise<Problem[]> {
    const { problems, unchecked } = await this.examination();
    if (unchecked.length > 0) throw new Error(`Checks failed: ${JSON.stringify(unchecked)}`);
    return problems;
  }

  async examination() {
    for (const name of Object.keys(process.env)) if (/^(NODE_|NGPU_)/.test(name)) delete process.env[name];
    Object.assign(process.env, this.env, { PATH: join(this.dir, "bin") });
    try {
      return await examine(openWorld(readDoctorEnv(), { root: join(this.dir, "root") }));
    } finally {
      this.restoreEnv();
    }
  }

  private restoreEnv(): void {
    for (const name of Object.keys(process.env)) if (!(name in this.savedEnv)) delete process.env[name];
    Object.assign(process.env, this.savedEnv);
  }

  close(): void {
    for (const server of this.servers) {
      server.close();
      server.closeAllConnections();
    }
    rmSync(this.dir, { recursive: true, force: true });
  }

  async serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    await listening(server);
    this.servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  private answer(path: string, response: Parameters<RequestListener>[1]): void {
    const answer = this.market[path] ?? 404;
    for (const [name, value] of Object.entries(this.headers)) response.setHeader(name, value);
    if (typeof answer === "number") response.writeHead(answer).end();
    else response.setHeader("content-type", "application/json").end(toJson(answer));
  }

  private answerRpc(...[request, response]: Parameters<RequestListener>): void {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const asked = JSON.parse(Buffer.concat(parts).toString()) as { id: number; method: string };
      const one = ({ id, method }: typeof asked) => {
        const result = this.rpc[method];
        if (result instanceof Error)
          return { jsonrpc: "2.0", id, error: { code: -32_000, message: result.message } };
        return { jsonrpc: "2.0", id, result };
      };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(Array.isArray(asked) ? asked.map(one) : one(asked)));
    });
  }
}

const healthyStatus = {
  version: "0.1.0",
  startedAt: 0,
  nodeId: 7,
  address: "0x0000000000000000000000000000000000000001",
  wallet: null,
  chainId: 31_337,
  drained: false,
  current: true,
  session: true,
  tunnels: 2,
  lastContactAt: 1,
  gpus: [],
  sickGpus: [],
  leases: [],
  walls: { state: "up", checkedAt: 1, downSince: null, repairs: 0, repairedAt: null, failure: null },
};

/** A block header as an endpoint returns it. @param time Unix seconds. */
export function block(time: number) {
  const word = `0x${"0".repeat(64)}`;
  return {
    number: "0x0",
    hash: `0x${"1".repeat(64)}`,
    parentHash: word,
    timestamp: `0x${time.toString(16)}`,
    logsBloom: `0x${"0".repeat(512)}`,
    transactions: [],
  };
}

function listening(server: Server, path?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    if (path === undefined) server.listen(0, "127.0.0.1", resolve);
    else server.listen(path, resolve);
  });
}
