import { Agent, fetch as send } from "undici";

/** Node's own fetch gives up after 300 s without a header or a byte. The deadlines of calls are those of their signals. */
const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

/** A fetch for Node that waits for an answer until its signal aborts: `longFetch` of a client. */
export const patientFetch: typeof fetch = (input, init) =>
  send(
    input as Parameters<typeof send>[0],
    { ...init, dispatcher: agent } as Parameters<typeof send>[1],
  ) as unknown as Promise<Response>;
