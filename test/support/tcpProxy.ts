import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type TcpProxy = Awaited<ReturnType<typeof startTcpProxy>>;

/** Starts a proxy for a TCP server whose connections can be cut or muted, and restored. */
export async function startTcpProxy(target: URL) {
  const sockets = new Set<Socket>();
  let open = true;
  let muted = false;
  const silent = new Set<Socket>();
  const server = createServer((client) => {
    if (muted) silent.add(client);
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        silent.delete(from);
        to.destroy();
      });
      from.on("data", (bytes: Buffer) => {
        if (!silent.has(client)) to.write(bytes);
      });
    }
    if (!open) client.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(target);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    /** Closes all connections and rejects new ones. */
    cut: () => {
      open = false;
      for (const socket of sockets) socket.destroy();
    },
    /** Keeps its connections and those that it accepts, and drops all of their bytes, like a peer that is silent. */
    mute: () => {
      muted = true;
      for (const socket of sockets) silent.add(socket);
    },
    /** Accepts and forwards new connections again. The muted ones stay silent. */
    restore: () => {
      open = true;
      muted = false;
    },
    /** Number of connections of clients that are open. */
    connections: () => sockets.size / 2,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
