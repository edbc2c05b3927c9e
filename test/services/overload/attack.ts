import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/*
 * A program: callers that overload an API by every way that it has. It answers each message by the number of its requests by
 * attack and status, and ends when its parent kills it.
 */

export type Target = {
  url: string;
  /** A key of a partner, and its workspace, whose container never answers. */
  apiKey: string;
  workspaceId: string;
};

/** Requests by attack and status; `cut`: the connection was closed instead. */
export type Counts = Record<string, Record<string, number>>;

const { url, apiKey, workspaceId } = JSON.parse(process.argv[2] ?? "{}") as Target;
const counts: Counts = {};
const own = { authorization: `Bearer ${apiKey}` };
const json = { "content-type": "application/json" };

type Sent = {
  method?: "GET" | "POST";
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
};

async function send(attack: string, { method = "GET", path, headers = {}, body }: Sent): Promise<void> {
  const status = await fetch(`${url}${path}`, { method, headers, ...(body !== undefined && { body }) })
    .then(async (response) => {
      await response.arrayBuffer();
      return String(response.status);
    })
    .catch(() => "cut");
  const of = counts[attack] ?? {};
  of[status] = (of[status] ?? 0) + 1;
  counts[attack] = of;
  // A refused connection must not keep this process busy.
  if (status === "cut") await delay(50);
}

/** Sends one request after the other, several at a time. */
function flood(attack: string, times: number, next: () => Sent): void {
  for (let index = 0; index < times; index += 1) {
    void (async () => {
      for (;;) await send(attack, next());
    })();
  }
}

/** Connections that announce the largest body and send a byte a second. */
function trickle(times: number, headers: string): void {
  const { hostname, port } = new URL(url);
  for (let index = 0; index < times; index += 1) {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined);
    socket.resume();
    socket.write(
      `POST /v1/tasks HTTP/1.1\r\nHost: a\r\n${headers}Content-Type: application/json\r\nContent-Length: ${16 << 20}\r\n\r\n{`,
    );
    setInterval(() => void (socket.writable && socket.write(" ")), 1_000);
  }
}

/** Requests whose answers are not read. */
function leaveUnread(times: number, path: string): void {
  const { hostname, port } = new URL(url);
  for (let index = 0; index < times; index += 1) {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => undefined);
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${apiKey}\r\n\r\n`.repeat(20));
  }
}

const key = () => `ngpu_${randomBytes(8).toString("hex")}_${randomBytes(32).toString("hex")}`;
const image = "x".repeat(1 << 20);

flood("without a key", 8, () => ({ path: "/v1/nodes?limit=200" }));
flood("with keys that do not exist", 8, () => ({
  path: "/v1/account",
  headers: { authorization: `Bearer ${key()}` },
}));
flood("the largest document", 4, () => ({ path: "/openapi.json" }));
flood("health", 4, () => ({ path: "/healthz" }));
flood("more than a key may", 8, () => ({ path: "/v1/workspaces?limit=200", headers: own }));
flood("tasks that never end", 4, () => ({
  method: "POST",
  path: "/v1/tasks",
  headers: { ...own, ...json },
  body: JSON.stringify({ workspaceId, path: "/", wait: false, input: image }),
}));
flood("chats that never end", 40, () => ({
  method: "POST",
  path: "/v1/chat/completions",
  headers: { ...own, ...json },
  body: JSON.stringify({ model: workspaceId, messages: [{ role: "user", content: image }] }),
}));
trickle(100, "");
trickle(100, `Authorization: Bearer ${apiKey}\r\n`);
leaveUnread(50, "/openapi.json");
leaveUnread(50, `/v1/workspaces/${workspaceId}/events/stream`);

process.on("message", () => process.send?.(counts));
