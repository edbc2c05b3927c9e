import { connect, createServer, type Server, type Socket } from "node:net";
import getPort from "get-port";
import type { Call } from "./wrk.ts";

/** A link with a delay and a rate in each direction. */
export type Link = { rttMs: number; megabitsPerSecond: number };

/** Bytes that wait at the entry of a link, as in the queue of a router. */
const queueBytes = 256 << 10;

/** Forwards connections over a link, in user space. All of them share its rate, each way. */
export async function openLink(target: number, link: Link): Promise<{ port: number; close: () => void }> {
  const port = await getPort();
  const sockets = new Set<Socket>();
  const shared = { up: { freeAt: 0 }, down: { freeAt: 0 } };
  const server: Server = createServer((near) => {
    const far = connect({ port: target, host: "127.0.0.1", noDelay: true });
    near.setNoDelay(true);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => sockets.delete(socket));
    }
    passSlowly(near, far, link, shared.up);
    passSlowly(far, near, link, shared.down);
  }).listen(port, "127.0.0.1");
  return {
    port,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function passSlowly(from: Socket, to: Socket, { rttMs, megabitsPerSecond }: Link, way: { freeAt: number }) {
  const perMs = (megabitsPerSecond * 1e6) / 8 / 1e3;
  const inFlight: { at: number; part: Buffer }[] = [];
  let _timer: NodeJS.Timeout | undefined;
  const arrive = () => {
    _timer = undefined;
    const now = performance.now();
    while (inFlight[0] !== undefined && inFlight[0].at <= now) to.write(inFlight.shift()?.part as Buffer);
    if (inFlight[0] !== undefined) _timer = setTimeout(arrive, Math.max(1, inFlight[0].at - now));
  };
  from.on("data", (part: Buffer) => {
    const now = performance.now();
    way.freeAt = Math.max(way.freeAt, now) + part.length / perMs;
    inFlight.push({ at: way.freeAt + rttMs / 2, part });
    _timer ??= setTimeout(arrive, rttMs / 2);
    // A sender that is faster than the link waits, as TCP would make it.
    const wait = way.freeAt - now - queueBytes / perMs;
    if (wait <= 0) return;
    from.pause();
    setTimeout(() => from.resume(), wait);
  });
  from.once("close", () => setTimeout(() => to.end(), rttMs));
}

/** Megabits a second of one long answer. */
export async function measureDownload({ url, body, headers }: Call, bytes: number): Promise<number> {
  const started = performance.now();
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  let received = 0;
  for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) received += part.length;
  if (received < bytes)
    throw new Error(`${received} of ${bytes} bytes arrived, with status ${answer.status}.`);
  return (received * 8) / 1e6 / ((performance.now() - started) / 1000);
}
