import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export type Floor = {
  /** Opens a connection, leaves after some milliseconds, and returns the time until its other end is closed. */
  abortOnce: (leaveAfter: number) => Promise<number>;
  stop: () => Promise<void>;
};

/**
 * What the machine needs at least: a connection through as many processes as a task passes, API, gateway and node. They only
 * copy bytes.
 */
export async function openFloor(hops = 3): Promise<Floor> {
  const closings = new Map<string, PromiseWithResolvers<number>>();
  const closingOf = (id: string) => {
    const known = closings.get(id) ?? Promise.withResolvers<number>();
    closings.set(id, known);
    return known;
  };
  const server = createServer((socket) => serve(socket, closingOf));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const children: ChildProcess[] = [];
  let port = (server.address() as AddressInfo).port;
  for (let hop = 0; hop < hops; hop++) {
    const child = fork(join(import.meta.dirname, "relay.ts"), [String(port)]);
    children.push(child);
    [port] = (await once(child, "message")) as [number];
  }
  let next = 0;
  return {
    abortOnce: async (leaveAfter) => {
      const id = String(next++);
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      socket.on("error", () => undefined);
      socket.resume();
      socket.write(`${id}\n`);
      await Promise.all([delay(leaveAfter), once(socket, "data")]);
      const leftAt = performance.now();
      socket.destroy();
      const closedAt = await closingOf(id).promise;
      closings.delete(id);
      return Math.max(0, closedAt - leftAt);
    },
    stop: async () => {
      server.close();
      for (const child of children) child.kill("SIGKILL");
      await Promise.all(children.map((child) => once(child, "exit")));
    },
  };
}

/** Streams like the container of the benchmark, and notes when its connection closes. */
function serve(socket: Socket, closingOf: (id: string) => PromiseWithResolvers<number>): void {
  socket.on("error", () => undefined);
  socket.once("data", (line: Buffer) => {
    const timer = setInterval(() => socket.write("9\r\ndata: 1\n\n\r\n"), 20);
    socket.resume();
    socket.once("close", () => {
      clearInterval(timer);
      closingOf(line.toString().trim()).resolve(performance.now());
    });
  });
}
