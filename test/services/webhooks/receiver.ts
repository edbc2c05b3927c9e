import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { WebhookEvent } from "@ngpu/protocol/webhooks";
import { eventually } from "../support/context.ts";

/** A request of a webhook, as a receiver gets it. */
export type Received = { headers: IncomingHttpHeaders; body: string; event: WebhookEvent };

export type Receiver = {
  url: string;
  received: Received[];
  /** How it answers; default: 204. */
  answer: (response: ServerResponse, received: Received) => void;
  /** Waits until it has the event of a type, or the given one. */
  has(what: string, matches: (event: WebhookEvent) => boolean): Promise<Received>;
  stop(): void;
};

/** A server that keeps what webhooks send to it. */
export async function startReceiver(answer?: Receiver["answer"]): Promise<Receiver> {
  const received: Received[] = [];
  const receiver: Receiver = {
    url: "",
    received,
    answer: answer ?? ((response) => response.writeHead(204).end()),
    has: (what, matches) => eventually(what, () => received.find(({ event }) => matches(event))),
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const one = { headers: request.headers, body, event: JSON.parse(body) as WebhookEvent };
    received.push(one);
    receiver.answer(response, one);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return receiver;
}
