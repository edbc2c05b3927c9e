import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { tunnelOptions } from "@ngpu/runtime/httpLimits";
import type { Logger } from "@ngpu/runtime/logger";

/** Deadlines of tunnels, in milliseconds. */
export const tunnelDeadlines = {
  /** @deadline A node's answer to a ping. Its tunnel and its requests are cut, and requests go to other replicas. */
  pong: 10_000,
  /** @deadline The first HTTP/2 frame of a node. Its tunnel is refused. */
  settings: 10_000,
  /** @deadline The requests of a tunnel that the node has replaced. They are cut. */
  retire: 30_000,
  /** @deadline The requests of a tunnel when the gateway stops. They are cut. */
  stop: 3_000,
};

/** Starts the HTTP/2 session of a tunnel, in which the gateway is the client. */
export function startSession(nodeId: number, socket: Duplex, logger: Logger): ClientHttp2Session {
  if (socket instanceof Socket) {
    socket.setTimeout(0);
    socket.setNoDelay(true);
  }
  const session = connect(`http://node-${nodeId}`, {
    createConnection: () => socket,
    ...tunnelOptions,
    settings: { ...tunnelOptions.settings, enablePush: false },
  });
  session.on("error", (error) => logger.debug({ event: "tunnel_broken", nodeId, error }));
  session.once("connect", () => session.setLocalWindowSize(8 << 20));
  // Sockets of an HTTP server stay half open. Without this a disconnected node would be detected only by pings.
  socket.once("end", () => session.destroy(new Error("the node closed its tunnel")));
  return session;
}

/** Closes a session. Requests in progress may end within a deadline. */
export async function retire(session: ClientHttp2Session, milliseconds: number): Promise<void> {
  if (session.destroyed) return;
  const closed = Promise.withResolvers<void>();
  session.once("close", closed.resolve);
  session.close();
  const deadline = setTimeout(
    () => session.destroy(new Error("the requests of the tunnel did not end in time")),
    milliseconds,
  );
  deadline.unref();
  await closed.promise;
  clearTimeout(deadline);
}

/** Pings the node, and destroys the session if it does not answer. */
export async function pingOrDestroy(session: ClientHttp2Session, milliseconds: number): Promise<void> {
  if (session.destroyed) return;
  const answered = Promise.withResolvers<void>();
  // Destroyed with an error, so that a response in progress counts as cut.
  const destroy = () => session.destroy(new Error("the node does not answer pings"));
  const deadline = setTimeout(destroy, milliseconds);
  session.once("close", answered.resolve);
  if (!session.ping((error) => (error === null ? answered.resolve() : destroy()))) destroy();
  await answered.promise;
  session.off("close", answered.resolve);
  clearTimeout(deadline);
}

/** Waits for the peer's settings, which an HTTP/2 server sends first. Until then the peer may speak any protocol. */
export async function settingsOf(session: ClientHttp2Session, milliseconds: number): Promise<void> {
  try {
    await once(session, "remoteSettings", { signal: AbortSignal.timeout(milliseconds) });
  } catch (error) {
    session.destroy();
    throw error;
  }
}
