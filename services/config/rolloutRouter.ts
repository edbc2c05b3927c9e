import { type Rollout, rollout } from "@ngpu/protocol/updates";
import { InputError } from "@ngpu/runtime/errors";
import type { Logger } from "@ngpu/runtime/logger";
import type { OnlineRepository } from "@ngpu/update-repository/online";
import express, { type Router } from "express";
import { z } from "zod";
import { alertReason, alertWebhook } from "./alerts.ts";

const change = rollout.omit({ paused: true }).extend({ regions: rollout.shape.regions.default(null) });
const pause = z.strictObject({ reason: z.string().min(1).max(500) });

/** The rollout's API. Requests are handled one after the other: each is synchronous. */
export function rolloutRouter(deps: {
  repository: OnlineRepository;
  logger: Logger;
  now: () => number;
}): Router {
  const { repository } = deps;
  const router = express.Router();
  router.use(express.json({ limit: "1mb" }));
  router.get("/rollout", (_request, response) => void response.json(describe(repository)));
  router.put("/rollout", (request, response) => {
    const next = parse(change, request.body);
    // Another release is another decision: it is not paused.
    const present = repository.rollout();
    const paused = present?.release === next.release ? present.paused : null;
    sign(deps, { ...next, paused });
    response.json(describe(repository));
  });
  router.post("/rollout/pause", (request, response) => {
    pauseRollout(deps, parse(pause, request.body).reason);
    response.json(describe(repository));
  });
  router.post("/rollout/resume", (_request, response) => {
    sign(deps, { ...required(repository), paused: null });
    response.json(describe(repository));
  });
  router.post("/alerts", (request, response) => {
    const reason = alertReason(parse(alertWebhook, request.body));
    // An alert before the first rollout concerns no update.
    if (reason !== undefined && repository.rollout() !== undefined) pauseRollout(deps, reason);
    response.status(204).end();
  });
  router.use((request) => {
    throw new InputError(`There is no ${request.method} ${request.path}.`, {
      code: "endpoint_not_found",
      hint: "services/config/README.md lists the requests.",
      status: 404,
    });
  });
  return router;
}

/** The first reason stays: it is the one to look at. */
function pauseRollout(
  deps: { repository: OnlineRepository; logger: Logger; now: () => number },
  reason: string,
) {
  const present = required(deps.repository);
  if (present.paused === null) sign(deps, { ...present, paused: reason });
}

function sign(
  { repository, logger, now }: { repository: OnlineRepository; logger: Logger; now: () => number },
  next: Rollout,
): void {
  repository.setRollout(next, now());
  logger.info({ event: "rollout_changed", ...next });
}

function describe(repository: OnlineRepository) {
  const expiresAt = repository.expiresAt();
  return {
    rollout: repository.rollout() ?? null,
    releases: repository.releases(),
    signaturesExpire: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  };
}

function required(repository: OnlineRepository): Rollout {
  const present = repository.rollout();
  if (present !== undefined) return present;
  throw new InputError("No release is rolled out.", {
    code: "rollout_missing",
    hint: "Start a rollout first: PUT /rollout.",
    status: 409,
  });
}

function parse<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new InputError(`The request is not valid:\n${z.prettifyError(parsed.error)}`, {
    code: "rollout_invalid",
    hint: "Correct the named fields.",
  });
}
