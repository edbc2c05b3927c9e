import { addressFor } from "@ngpu/contracts-sdk/generations";
import { scalingIn } from "@ngpu/protocol/scaling";
import { loadSpec } from "@ngpu/queries/workspaceSpecs";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { requireImage } from "../imageFacts.ts";
import { withinLimit } from "../keyLimits.ts";
import { requireSecrets } from "../namedSecrets.ts";
import { mostReplicas, updated } from "../publicationSpec.ts";
import { workspaceIdText } from "../schemas/common.ts";
import { type WorkspaceUpdate, workspaceUpdate } from "../schemas/newWorkspace.ts";
import { updateAnswer } from "../schemas/workspaces.ts";
import type { WorkspaceRow } from "../store/workspaces.ts";
import type { OrderSender } from "../workspaceOrders.ts";
import { requireOpen, requireWorkspace } from "./workspaces.ts";

export function updateRoutes(deps: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "post",
        path: "/v1/workspaces/:id/update",
        tag: "Workspaces",
        summary: "Change the image, the configuration or the number of replicas",
        description:
          "Replicas that run another image or configuration are replaced in a rolling update with at most maxDown replicas down at once. Policy, grace period and resources cannot change.",
        access: "partner",
        writes: true,
        params: z.object({ id: workspaceIdText }),
        body: workspaceUpdate,
        answer: updateAnswer,
      },
      async ({ partner, params: { id }, body }) => {
        requireOpen(await requireWorkspace(deps.db, partner.wallet, id));
        return deps.orders.run(id, async (order) => {
          // Read under the claim, so that an update applies to the result of the previous one.
          const workspace = await requireWorkspace(deps.db, partner.wallet, id);
          requireOpen(workspace);
          const price = body.maxPricePerSecond ?? workspace.max_price_per_second;
          const replicas = body.replicas ?? scalingIn(workspace.config) ?? workspace.replicas;
          const rate = price * BigInt(mostReplicas(replicas));
          const send = () => sendUpdate(deps, { order, workspace, body, wallet: partner.wallet });
          return withinLimit(deps.db, partner, { id, rate }, send, (sent) => sent.id);
        });
      },
    ),
  ];
}

/** The number of replicas that an update sets: of a range, what is nearest to the present one. */
function replicasAfter(given: WorkspaceUpdate["replicas"], present: number): number {
  if (given === undefined) return present;
  return typeof given === "number" ? given : Math.min(Math.max(present, given.min), given.max);
}

async function sendUpdate(
  deps: ApiDeps,
  given: { order: OrderSender; workspace: WorkspaceRow; body: WorkspaceUpdate; wallet: string },
) {
  const { order, workspace, body, wallet } = given;
  const workspaceId = BigInt(workspace.id);
  const at = addressFor(deps.deployment, "DockerContract", { workspaceId });
  const current = await loadSpec(deps.db, workspaceId);
  const next = updated({ spec: current, config: workspace.config }, body);
  if (body.image !== undefined && next !== null) await requireImage(deps, body.image);
  if (next !== null) await requireSecrets(deps.db, wallet, body.secrets ?? undefined);
  const changed =
    next === null
      ? null
      : await order.write({
          kind: "api.updateWorkspace",
          contract: "DockerContract",
          at,
          functionName: "updateWorkspace",
          args: [workspaceId, current, next.spec, next.config],
        });
  const count = replicasAfter(body.replicas, workspace.replicas);
  const scaled =
    count === workspace.replicas
      ? null
      : await order.write({
          kind: "api.setReplicas",
          contract: "DockerContract",
          at,
          functionName: "setReplicas",
          args: [workspaceId, count],
        });
  return { id: workspace.id, updated: changed?.hash ?? null, scaled: scaled?.hash ?? null };
}
