import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createFaultInjector, type FaultInjector } from "./rpcFaults.ts";
import { createResponder, type ResponderOptions, type RpcCall, type RpcResponse } from "./rpcResponder.ts";

export type RpcProxy = Awaited<ReturnType<typeof startRpcProxy>>;

/**
 * Starts a proxy for a real node that injects faults on demand and determines the safe and the finalized block.
 *
 * @param options.random Returns numbers from 0 to below 1; selects the requests with a fault.
 */
export async function startRpcProxy(
  options: Pick<ResponderOptions, "target" | "heads"> & { random: () => number },
) {
  const faults = createFaultInjector(options.random);
  const respond = createResponder({ ...options, faults });
  const server = createServer((request, response) => {
    void serve(faults, respond, request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    misbehave: faults.set,
    /** Number of injected faults by kind. */
    injected: faults.counts,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function serve(
  faults: FaultInjector,
  respond: ReturnType<typeof createResponder>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = JSON.parse(await read(request)) as RpcCall | RpcCall[];
  // No response: the client times out.
  if (faults.chance("timeout")) return;
  for (const [kind, status] of [
    ["status429", 429],
    ["status500", 500],
  ] as const) {
    if (faults.chance(kind)) return void response.writeHead(status).end();
  }
  const reply = async (call: RpcCall): Promise<RpcResponse> => ({
    jsonrpc: "2.0",
    id: call.id,
    ...(await respond(call)),
  });
  const replies = Array.isArray(body) ? await Promise.all(body.map(reply)) : await reply(body);
  const text = JSON.stringify(replies);
  response.writeHead(200, { "content-type": "application/json" });
  response.end(faults.chance("truncated") ? text.slice(0, Math.floor(faults.random() * text.length)) : text);
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
