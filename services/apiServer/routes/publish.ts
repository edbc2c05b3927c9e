import { InputError } from "../../shared/errors.ts";
import { isUsable } from "../decide.ts";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint, idempotencyHeader } from "../endpoint.ts";
import { dedupeKeyOf } from "../onchain.ts";
import { newWorkspace, publishAnswer } from "../schemas/workspaces.ts";
import { publication } from "../spec.ts";
import { currentTime, listAuthorizations } from "../store/escrow.ts";
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
          "Answers once DockerContract.publish is mined. With an Idempotency-Key a repeat gives the same workspace and publishes nothing.",
        access: "partner",
        headers: idempotencyHeader,
        body: newWorkspace,
        status: 201,
        answer: publishAnswer,
      },
      async ({ partner, body, headers }) => {
        const { wallet } = partner;
        const dedupeKey = await dedupeKeyOf(deps.db, wallet, "publish", {
          key: headers["idempotency-key"],
          body,
        });
        const { spec, config } = publication(body, await currentTime(deps.db));
        const authorizationId = body.authorizationId ?? (await newestUsable(deps, wallet));
        const { hash, events } = await deps.writer.write({
          kind: "api.publish",
          contract: "DockerContract",
          functionName: "publish",
          args: [wallet, BigInt(authorizationId), body.replicas, spec, config],
          ...(dedupeKey === undefined ? {} : { dedupeKey }),
        });
        const event = events.find((one) => one.eventName === "WorkspacePublished");
        if (event === undefined) throw new Error(`The transaction ${hash} published nothing.`);
        const id = String(event.args.workspaceId);
        if (body.name !== undefined) await nameWorkspace(deps.db, id, wallet, body.name);
        return { id, txHash: hash, tier: "unsafe" as const, status: "pending" as const };
      },
    ),
  ];
}

/** @throws InputError `authorization_missing` (409). */
async function newestUsable({ db, delegate }: ApiDeps, wallet: string): Promise<string> {
  const now = await currentTime(db);
  const rows = await listAuthorizations(db, wallet);
  const found = rows.find((row) => isUsable(row, { now, delegate }));
  if (found !== undefined) return found.id;
  throw new InputError("No authorization lets this API publish for you.", {
    code: "authorization_missing",
    status: 409,
    hint: "Sign one: GET /v1/authorizations/typed-data, then POST /v1/authorizations.",
  });
}
