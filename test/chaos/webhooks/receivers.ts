import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** What receivers have accepted: the number of times, by endpoint and task. */
export type Accepted = Map<string, number>;

export type Receivers = {
  url: string;
  accepted: Accepted;
  /** Requests that were answered with an error on purpose, and requests that are never answered. */
  figures: () => { refused: number; ignored: number };
  stop: () => void;
};

/**
 * A server for all endpoints: `/<name>` accepts most requests, `/dead` never answers.
 *
 * @param refusals Share of the requests that are answered with 500.
 */
export async function startReceivers(random: () => number, refusals: number): Promise<Receivers> {
  const accepted: Accepted = new Map();
  const figures = { refused: 0, ignored: 0 };
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === "/dead") {
      figures.ignored += 1;
      return;
    }
    const body = await text(request);
    if (random() < refusals) {
      figures.refused += 1;
      response.writeHead(500).end();
      return;
    }
    const { data } = JSON.parse(body) as { data: { task: { id: string } } };
    const key = `${request.url} ${data.task.id}`;
    accepted.set(key, (accepted.get(key) ?? 0) + 1);
    response.writeHead(204).end();
  };
  const server = createServer((request, response) => {
    // A request whose sender was killed breaks off.
    serve(request, response).catch(() => response.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accepted,
    figures: () => ({ ...figures }),
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
