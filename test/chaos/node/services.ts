import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { toJson } from "@ngpu/runtime/json";
import { startGateway } from "../../../services/gateway/gateway.ts";
import type { TestMatch } from "../../services/match/setup.ts";
import { asRole, createTestContext } from "../../services/support/context.ts";

const token = "a-token-of-more-than-thirty-two-characters";

/** A gateway, reached through a proxy that breaks the connections of all tunnels at once. */
export async function startTunnels(test: TestMatch) {
  const sockets = new Set<Socket>();
  let target = 0;
  const proxy = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  const url = `http://127.0.0.1:${await portOf(proxy)}`;
  const context = createTestContext("gateway");
  const gateway = await startGateway(context, {
    LOG_LEVEL: "silent",
    HOST: "127.0.0.1",
    PORT: 0,
    DATABASE_URL: asRole(test.database.url, "ngpu_gateway"),
    DEPLOYMENT_FILE: test.market.deploymentFile,
    PUBLIC_URL: url,
    GATEWAY_TOKEN: token,
    INSTANCE: "gateway-chaos",
  });
  target = Number(new URL(gateway.url).port);
  return {
    url,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    stop: async () => {
      await context.stop();
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** What the market's API says of its network, for the node client. */
export async function serveNetwork(network: Record<string, unknown>) {
  const server = createHttpServer((_request, response) => {
    response.setHeader("content-type", "application/json").end(toJson(network));
  });
  const url = `http://127.0.0.1:${await portOf(server)}`;
  return {
    url,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
