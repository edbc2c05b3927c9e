import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { createLogger } from "@ngpu/runtime/logger";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { createTunnels } from "../../../node-client/tunnels.ts";
import type { Client } from "../apiServer/client.ts";
import { join, runWorkspace } from "../apiServer/partner.ts";
import { type ApiMarket, setup } from "../apiServer/setup.ts";
import { eventually, type LogDestination } from "../support/context.ts";
import { nodeKey } from "../workspace/chain.ts";
import { addNode } from "../workspace/chainActions.ts";
import { apart, limited, type NodeProcess, type NodeStart, startNodeProcess } from "./processes.ts";

const many = 1_000_000;

/** A TCP server in place of a container. `serve` gets each connection. */
export type Container = { port: number; serve: (socket: Socket) => void; close: () => void };

export async function openContainer(): Promise<Container> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    container.serve(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  const container: Container = {
    port: typeof address === "object" && address !== null ? address.port : 0,
    serve: (socket) => socket.destroy(),
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return container;
}

type Partner = Client & { apiKey: string };

export type ByteMarket = {
  api: ApiMarket;
  partner: Partner;
  /** The owner of the second workspace. */
  other: Partner;
  /** Two workspaces on one node. */
  workspaces: { id: string; container: Container }[];
  /** Number of the node's open tunnels, and how often one opened. */
  tunnel: { open: () => number; opened: () => number };
  stop: () => Promise<void>;
};

/**
 * The real API, gateway and node client between a partner and two containers that are sockets.
 *
 * @param options.isApart Whether API, gateway and node client are processes of their own.
 * @param options.isLimited Whether that API has its rate limits, and the second workspace another owner.
 * @param options.log Gets the log of API and gateway, when they are not.
 */
export async function openByteMarket({
  isApart = false,
  isLimited = false,
  log,
}: {
  isApart?: boolean;
  isLimited?: boolean;
  log?: LogDestination;
} = {}): Promise<ByteMarket> {
  const api = await setup({
    limits: { perKey: many, perAddress: many, writes: many },
    ...(log === undefined ? {} : { log }),
    ...(isApart ? apart : {}),
    ...(isLimited ? limited : {}),
  });
  const nodeId = await addNode(api.chain, "one");
  await api.market.exported();
  const node = isApart ? { ...startNodeProcess(startOf(api)), opened: () => 0 } : startNodeHere(startOf(api));
  await eventually("the tunnel", () => node.open() === 1);
  const enter = async () =>
    (await join(api, privateKeyToAccount(generatePrivateKey()), "100")).partner as Partner;
  const partner = await enter();
  const other = isLimited ? await enter() : partner;
  const workspaces: { id: string; container: Container }[] = [];
  for (let index = 0; index < 2; index++) {
    const container = await openContainer();
    const { id } = await runWorkspace(api, index === 0 ? partner : other, {
      name: "one",
      nodeId,
      ports: [8000 + index],
    });
    node.setPort({ workspaceId: id, port: container.port });
    workspaces.push({ id, container });
  }
  const market = {
    api,
    workspaces,
    tunnel: node,
    partner,
    other,
    stop: async () => {
      await node.stop();
      for (const { container } of workspaces) container.close();
      await api.stop();
    },
  };
  for (const [index, { id, container }] of workspaces.entries()) {
    container.serve = answerOk;
    await eventually("a route", async () => {
      const { body } = await (index === 0 ? partner : other).post<{ status?: string }>("/v1/tasks", {
        workspaceId: id,
        path: "/",
      });
      return body.status === "succeeded";
    });
  }
  return market;
}

const startOf = (api: ApiMarket): NodeStart => ({
  name: "one",
  gatewayUrl: api.gatewayUrl,
  deployment: api.chain.deployment,
});

/** The node client's tunnels in this process. `opened` counts how often one opened. */
function startNodeHere({ name, gatewayUrl, deployment }: NodeStart): NodeProcess & { opened: () => number } {
  const abort = new AbortController();
  const ports = new Map<string, number>();
  let opened = 0;
  const log = {
    write: (line: string) => {
      if ((JSON.parse(line) as { event: string }).event === "tunnel_opened") opened += 1;
    },
  };
  const tunnels = createTunnels({
    account: nodeKey(name),
    deployment,
    portOf: (lease) => ports.get(lease.split("/")[0] ?? ""),
    logger: createLogger("node", "info", log),
    signal: abort.signal,
  });
  tunnels.setGateways([gatewayUrl]);
  return {
    open: () => tunnels.open(),
    opened: () => opened,
    setPort: ({ workspaceId, port }) => void ports.set(workspaceId, port),
    stop: async () => abort.abort(),
  };
}

/** Answers each request with 200 and `ok`. */
export function answerOk(socket: Socket): void {
  afterRequest(socket, () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
}

/** Calls once when the head of the request has arrived, and reads on. */
export function afterRequest(socket: Socket, then: (head: string) => void): void {
  let text = "";
  const read = (part: Buffer) => {
    text += part.toString("latin1");
    if (!text.includes("\r\n\r\n")) return;
    socket.off("data", read);
    socket.resume();
    then(text);
  };
  socket.on("data", read);
}
