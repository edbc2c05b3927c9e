import { once } from "node:events";
import { rmSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { InputError } from "@ngpu/runtime/errors";
import { createHttpServer, createPublicApp, errorHandler } from "@ngpu/runtime/http";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import express, { type Express } from "express";
import type { NodeParts } from "../partTypes.ts";
import { socketPath } from "./controlClient.ts";
import { changeOffer, changeWallet, setDrained } from "./settings.ts";
import { offerStatusOf, statusOf } from "./status.ts";

/**
 * Serves the operator's commands on a Unix socket in the node's directory. Only this user and root reach it. Without
 * the socket the node runs as before.
 */
export async function serveControl(node: NodeParts): Promise<void> {
  const { context, env } = node;
  const path = socketPath(env.NODE_DIR);
  const server = createHttpServer(controlApp(node), { requireHostHeader: false });
  try {
    // The journal's lock shows that no other client listens here.
    rmSync(path, { force: true });
    server.listen(path);
    await once(server, "listening");
    await chmod(path, 0o600);
  } catch (error) {
    server.close();
    context.logger.warn({ event: "control_unavailable", path, error });
    return;
  }
  server.on("error", (error) => context.logger.warn({ event: "control_failed", error }));
  stopWith(context, server);
}

function stopWith(context: ServiceContext, server: ReturnType<typeof createHttpServer>): void {
  context.onStop("control", async () => {
    server.close();
    server.closeAllConnections();
    if (server.listening) await once(server, "close");
  });
}

function controlApp(node: NodeParts): Express {
  const { journal, events, context } = node;
  const app = createPublicApp();
  app.use(express.json({ limit: "16kb" }));
  app.get("/status", (_request, response) => void response.json(statusOf(node)));
  app.get("/offer", (_request, response) => void response.json(offerStatusOf(node)));
  app.patch("/offer", (request, response) => {
    changeOffer(journal, request.body);
    events.emit("registration");
    response.json(offerStatusOf(node));
  });
  app.post("/wallet", (request, response) => {
    const { wallet } = changeWallet(journal, request.body?.wallet);
    context.logger.info({ event: "wallet_changed", wallet });
    events.emit("registration");
    response.json(statusOf(node));
  });
  for (const [path, drained] of [
    ["/drain", true],
    ["/resume", false],
  ] as const) {
    app.post(path, (_request, response) => {
      setDrained(journal, drained);
      context.logger.info({ event: drained ? "node_drained" : "node_resumed" });
      events.emit("registration");
      response.json(statusOf(node));
    });
  }
  app.use((request) => {
    throw new InputError(`The client has no ${request.method} ${request.path}.`, {
      code: "control_not_found",
      hint: "Use the ngpu-node that was installed with the running client.",
      status: 404,
    });
  });
  app.use(errorHandler(context.logger));
  return app;
}
