import { InputError } from "@ngpu/runtime/errors";
import { createApp, errorHandler, type Health } from "@ngpu/runtime/http";
import express, { type Express } from "express";
import type { Registry } from "prom-client";
import { identify } from "./access.ts";
import type { CallLog } from "./calls.ts";
import { clientReleases } from "./clientReleases.ts";
import type { ApiDeps } from "./deps.ts";
import { docsRouter } from "./docsPage.ts";
import type { Endpoint } from "./endpoint.ts";
import type { createLimits } from "./limits.ts";
import { openAiErrorHandler } from "./openAiErrors.ts";
import { openApiDocument } from "./openapi.ts";
import { accountRoutes } from "./routes/account.ts";
import { authRoutes } from "./routes/auth.ts";
import { chatRoutes } from "./routes/chat.ts";
import { escrowRoutes } from "./routes/escrow.ts";
import { faucetRoutes } from "./routes/faucet.ts";
import { imageRoutes } from "./routes/images.ts";
import { keyRoutes } from "./routes/keys.ts";
import { marketRoutes } from "./routes/market.ts";
import { matchRoutes } from "./routes/match.ts";
import { orderRoutes } from "./routes/orders.ts";
import { placementRoutes } from "./routes/placements.ts";
import { publishRoutes } from "./routes/publish.ts";
import { rewardRoutes } from "./routes/rewards.ts";
import { receiptRoutes } from "./routes/taskReceipts.ts";
import { taskRoutes } from "./routes/tasks.ts";
import { updateRoutes } from "./routes/update.ts";
import { workspaceRoutes } from "./routes/workspaces.ts";

/** Every endpoint, in the order of the documentation. */
export function endpointsOf(deps: ApiDeps): Endpoint[] {
  return [
    ...authRoutes(deps),
    ...keyRoutes(deps),
    ...accountRoutes(deps),
    ...escrowRoutes(deps),
    ...faucetRoutes(deps),
    ...imageRoutes(deps),
    ...publishRoutes(deps),
    ...workspaceRoutes(deps),
    ...orderRoutes(deps),
    ...updateRoutes(deps),
    ...taskRoutes(deps),
    ...receiptRoutes(deps),
    ...chatRoutes(deps),
    ...marketRoutes(deps),
    ...matchRoutes(deps),
    ...placementRoutes(deps),
    ...rewardRoutes(deps),
  ];
}

/** The API's express app. */
export function createApiApp(
  deps: ApiDeps,
  parts: {
    registry: Registry;
    health: () => Promise<Health>;
    calls: CallLog;
    limits: ReturnType<typeof createLimits>;
    /** Directory with the node client's releases; undefined: none are served. */
    releases: string | undefined;
  },
): Express {
  const app = createApp(parts);
  const endpoints = endpointsOf(deps);
  const document = openApiDocument(endpoints, deps.publicUrl);
  app.get("/openapi.json", (_request, response) => {
    response.json(document);
  });
  app.use("/docs", docsRouter());
  app.use(["/install_mcNode.sh", "/install_measure.sh", "/client"], parts.limits.general);
  app.use(clientReleases(parts.releases));
  app.use("/v1", parts.calls.record, identify(deps.db));
  for (const one of endpoints) {
    app[one.method](
      one.path,
      (_request, response, next) => {
        response.locals.route = one.path;
        response.locals.openAiErrors = one.openAiErrors === true;
        next();
      },
      one.access === "auth" ? parts.limits.signIn : parts.limits.general,
      ...(one.writes === true ? [parts.limits.writes] : []),
      // Task inputs may be images; all other bodies are small.
      express.json({ limit: one.path === "/v1/tasks" || one.openAiErrors === true ? "16mb" : "256kb" }),
      one.handler,
    );
  }
  app.use((request) => {
    throw new InputError(`There is no endpoint ${request.method} ${request.path}.`, {
      code: "route_unknown",
      status: 404,
      hint: "GET /docs lists the endpoints.",
    });
  });
  app.use(openAiErrorHandler(deps.logger));
  app.use(errorHandler(deps.logger));
  return app;
}
