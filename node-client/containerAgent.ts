import { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** @deadline The next request on a kept connection to a container. The connection is closed. */
const idle = 1_000;
/** Seconds for which a container must promise to keep a connection: more than it is kept, so that no request meets its end. */
const promised = 2;

type Served = Duplex & { _httpMessage?: ClientRequest & { res?: IncomingMessage } };

/**
 * Keeps connections to containers that say for how long they keep them (`keep-alive: timeout=…`). Any other container may close a
 * connection while a request is sent on it, and it would not be known whether the request has run.
 */
export function createContainerAgent(): Agent {
  const agent = new Agent({ keepAlive: true, timeout: idle, maxFreeSockets: 64 });
  // Node destroys a socket for which this is not true, which its types do not say.
  const keep = agent.keepSocketAlive.bind(agent) as (socket: Duplex) => unknown;
  const keepSocketAlive = (socket: Served): unknown => {
    const hint = socket._httpMessage?.res?.headers["keep-alive"] ?? "";
    const seconds = Number(/^timeout=(\d+)/i.exec(String(hint))?.[1] ?? 0);
    return seconds >= promised && keep(socket);
  };
  return Object.assign(agent, { keepSocketAlive });
}
