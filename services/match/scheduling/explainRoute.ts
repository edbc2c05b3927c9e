import { explain } from "@ngpu/placement/explain";
import { explanationRequest } from "@ngpu/protocol/placement/request";
import { InputError } from "@ngpu/runtime/errors";
import { errorHandler } from "@ngpu/runtime/http";
import { toJson } from "@ngpu/runtime/json";
import type { Logger } from "@ngpu/runtime/logger";
import express, { type Express } from "express";
import { rateLimit } from "express-rate-limit";
import type { IndexedFleet } from "./fleetSync.ts";

/** Maximum number of requests per second from all clients: placements have priority. */
const maxPerSecond = 50;

/** Serves `POST /v1/explain` for apiServer. It is read-only and exposes only public data of the chain. */
export function serveExplain(app: Express, fleetNow: () => Promise<IndexedFleet>, logger: Logger): void {
  const limit = rateLimit({
    windowMs: 1_000,
    limit: maxPerSecond,
    keyGenerator: () => "all",
    handler: () => {
      throw new InputError("Too many requests.", {
        code: "rate_limited",
        hint: "Try again in a second.",
        status: 429,
      });
    },
  });
  app.post("/v1/explain", limit, express.json({ limit: "64kb" }), async (request, response) => {
    const parsed = explanationRequest.safeParse(request.body);
    if (!parsed.success) {
      throw new InputError("The placement request is not valid.", {
        code: "request_invalid",
        hint: "details.errors names each invalid field.",
        details: {
          errors: parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message })),
        },
      });
    }
    response.type("json").send(toJson(explain(await fleetNow(), parsed.data)));
  });
  app.use(errorHandler(logger));
}
