import { generationOf } from "@ngpu/contracts-sdk/generations";
import type { PlacementExplanation } from "@ngpu/protocol/placement/request";
import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import { InputError } from "@ngpu/runtime/errors";
import { requestLogger } from "@ngpu/runtime/http";
import type { Response } from "express";
import type { Hex } from "viem";
import type { z } from "zod";
import type { Partner } from "../access.ts";
import { dedupeKeyOf } from "../chainWriter.ts";
import { isUsable } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint, idempotencyHeader } from "../endpoint.ts";
import { explainWithModelNames } from "../explainWithModelNames.ts";
import { requireFunds } from "../funds.ts";
import { requireImage } from "../imageFacts.ts";
import { withinLimit } from "../keyLimits.ts";
import { requireSecrets } from "../namedSecrets.ts";
import { firstReplicas, mostReplicas, publication } from "../publicationSpec.ts";
import { type NewWorkspace, newWorkspace } from "../schemas/newWorkspace.ts";
import { publishAnswer } from "../schemas/workspaces.ts";
import { wasSent } from "../store/calls.ts";
import { currentTime, listAuthorizations } from "../store/escrow.ts";
import { marketGpuNames } from "../store/market.ts";
import { nameWorkspace } from "../store/workspaces.ts";

export function publishRoutes(deps: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "post",
        path: "/v1/workspaces",
        writes: true,
        tag: "Workspaces",
        summary: "Publish a workspace",
        description:
          "Returns when DockerContract.publish is mined. With an Idempotency-Key, a repeated request returns the same workspace and publishes nothing.",
        access: "partner",
        headers: idempotencyHeader,
        body: newWorkspace,
        status: 201,
        answer: publishAnswer,
      },
      (call) => publishWorkspace(deps, call),
    ),
  ];
}

/** Publishes a workspace for a partner. */
export async function publishWorkspace(
  deps: ApiDeps,
  call: {
    partner: Partner;
    body: NewWorkspace;
    headers: z.output<typeof idempotencyHeader>;
    response: Response;
  },
): Promise<z.input<typeof publishAnswer>> {
  const { partner, body, headers, response } = call;
  const { wallet } = partner;
  const dedupeKey = await dedupeKeyOf(deps.db, wallet, "publish", {
    key: headers["idempotency-key"],
    body,
  });
  const { spec, config } = publication(body, await currentTime(deps.db), await marketGpuNames(deps.db));
  const logged = { db: deps.db, logger: requestLogger(deps.logger, response) };
  if (!body.waitForNodes)
    await requirePossible(logged, () => explainWithModelNames(deps, { spec, config }, body), dedupeKey);
  const authorizationId = body.authorizationId ?? (await newestUsable(deps, wallet, spec.image));
  if (dedupeKey === undefined || !(await wasSent(deps.db, dedupeKey))) {
    await requireFunds(deps, wallet, authorizationId, {
      ...body,
      replicas: firstReplicas(body.replicas),
    });
    await requireImage(deps, body.image);
    await requireSecrets(deps.db, wallet, body.secrets);
  }
  const args = [wallet, BigInt(authorizationId), firstReplicas(body.replicas), spec, config] as const;
  const rate = body.maxPricePerSecond * BigInt(mostReplicas(body.replicas));
  const { id, hash } = await withinLimit(
    deps.db,
    partner,
    { id: undefined, rate },
    () => publish(deps, args, dedupeKey),
    (published) => published.id,
  );
  if (body.name !== undefined) await nameWorkspace(deps.db, id, wallet, body.name);
  return { id, txHash: hash, tier: "unsafe" as const, status: "pending" as const };
}

async function publish(
  { writer }: ApiDeps,
  args: readonly [Hex, bigint, number, WorkspaceSpec, string],
  dedupeKey: string | undefined,
): Promise<{ id: string; hash: Hex }> {
  const { hash, events } = await writer.write({
    kind: "api.publish",
    contract: "DockerContract",
    functionName: "publish",
    args,
    ...(dedupeKey === undefined ? {} : { dedupeKey }),
  });
  const event = events.find((one) => one.eventName === "WorkspacePublished");
  if (event === undefined) throw new Error(`The transaction ${hash} published nothing.`);
  return { id: String(event.args.workspaceId), hash };
}

/**
 * Refuses a workspace that no current node could run even if it were empty and online. A repeated publication passes. While match
 * does not answer, every publication passes and its workspace waits for a node.
 *
 * @throws InputError `price_too_low` or `placement_impossible` (409).
 */
async function requirePossible(
  { db, logger }: Pick<ApiDeps, "db" | "logger">,
  ask: () => Promise<PlacementExplanation>,
  dedupeKey: string | undefined,
): Promise<void> {
  let explanation: PlacementExplanation;
  try {
    explanation = await ask();
  } catch (error) {
    logger.warn({ event: "publication_unchecked", error });
    return;
  }
  if (explanation.possible) return;
  if (dedupeKey !== undefined && (await wasSent(db, dedupeKey))) return;
  if (typeof explanation.lowestPrice === "string") {
    throw new InputError(
      `Every node that could run this workspace costs at least ${explanation.lowestPrice}.`,
      {
        code: "price_too_low",
        status: 409,
        hint: "Set maxPricePerSecond to at least details.lowestPrice, or set waitForNodes to wait for cheaper nodes.",
        details: explanation,
      },
    );
  }
  throw new InputError(`No node can run this workspace. ${explanation.messages.join(" ")}`, {
    code: "placement_impossible",
    status: 409,
    hint: "Request less, or set waitForNodes to publish it and wait for suitable nodes.",
    details: explanation,
  });
}

const anyImage = /^0x0{64}$/;

/** The newest authorization that pays for the image. @throws InputError `authorization_missing` (409). */
async function newestUsable(
  { db, delegate, deployment }: ApiDeps,
  wallet: string,
  image: Hex,
): Promise<string> {
  const now = await currentTime(db);
  const generation = generationOf(deployment, "Escrow");
  const rows = await listAuthorizations(db, wallet);
  const covers = ({ scope }: { scope: string }) => anyImage.test(scope) || scope === image.toLowerCase();
  const found = rows.find((row) => isUsable(row, { now, delegate, generation }) && covers(row));
  if (found !== undefined) return found.id;
  throw new InputError("No authorization allows this API to publish this image for you.", {
    code: "authorization_missing",
    status: 409,
    hint: "Sign one: GET /v1/authorizations/typed-data, then POST /v1/authorizations.",
  });
}
