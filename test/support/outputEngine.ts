import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { serveProcesses } from "./processEngine.ts";

type Written = { at: bigint; stream: 1 | 2; bytes: Buffer };

/**
 * An engine at a socket that answers for the output of containers, which the test writes and rotates away, and runs commands of
 * containers as processes of this machine.
 */
export async function startOutputEngine(socket: string) {
  const containers = new Map<string, Written[]>();
  const followers = new Map<string, Set<ServerResponse>>();
  const processes = serveProcesses();
  const server = createServer((request, response) => {
    if (processes.answer(request, response)) return undefined;
    const url = new URL(request.url ?? "/", "http://engine");
    const id = /\/containers\/([^/]+)\/logs$/.exec(url.pathname)?.[1] ?? "";
    const lines = containers.get(id);
    const [, described = "", what] = /\/containers\/([^/]+)\/(stats|json)$/.exec(url.pathname) ?? [];
    if (containers.has(described)) {
      const body = what === "json" ? { Id: described, HostConfig: { NanoCpus: 5e8 } } : use;
      return void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    }
    if (lines === undefined) return void response.writeHead(404).end('{"message":"No such container"}');
    response.writeHead(200, { "content-type": "application/vnd.docker.raw-stream" }).flushHeaders();
    if (url.searchParams.get("follow") === "true") {
      const own = followers.get(id) ?? new Set();
      followers.set(id, own.add(response));
      response.once("close", () => own.delete(response));
      return undefined;
    }
    const since = nanoseconds(url.searchParams.get("since") ?? "0");
    response.end(Buffer.concat(lines.filter(({ at }) => at >= since).map(frame)));
    return undefined;
  });
  server.on("upgrade", processes.start);
  await once(server.listen(socket), "listening");
  return {
    /** Writes a line; its end belongs to it. */
    write: (id: string, at: bigint, text: string | Buffer, stream: 1 | 2 = 1) => {
      const line = { at, stream, bytes: Buffer.from(text as string) };
      containers.set(id, [...(containers.get(id) ?? []), line]);
      for (const follower of followers.get(id) ?? []) follower.write(frame(line));
    },
    /** Drops the oldest lines. */
    rotate: (id: string, count: number) => containers.set(id, (containers.get(id) ?? []).slice(count)),
    remove: (id: string) => {
      containers.delete(id);
      for (const follower of followers.get(id) ?? []) follower.end();
    },
    /** Number of commands that run. */
    running: processes.running,
    stop: () => {
      processes.stop();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What each container uses. */
const use = {
  read: "2027-01-15T08:00:02Z",
  preread: "2027-01-15T08:00:01Z",
  cpu_stats: { cpu_usage: { total_usage: 350_000_000 } },
  precpu_stats: { cpu_usage: { total_usage: 100_000_000 } },
  memory_stats: { usage: 64 << 20, limit: 256 << 20 },
  pids_stats: { current: 3 },
  networks: { eth0: { rx_bytes: 10, tx_bytes: 20 } },
};

function nanoseconds(seconds: string): bigint {
  const [whole = "0", fraction = ""] = seconds.split(".");
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** RFC 3339 with nanoseconds. */
export function timeText(at: bigint): string {
  const seconds = new Date(Number(at / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(at % 1_000_000_000n).padStart(9, "0")}Z`;
}

function frame({ at, stream, bytes }: Written): Buffer {
  const content = Buffer.concat([Buffer.from(`${timeText(at)} `), bytes]);
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(content.length, 4);
  return Buffer.concat([head, content]);
}
