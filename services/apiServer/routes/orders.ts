import { addressFor } from "@ngpu/contracts-sdk/generations";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { workspaceIdText } from "../schemas/common.ts";
import { orderAnswer } from "../schemas/workspaces.ts";
import { listReplicas } from "../store/workspaces.ts";
import { requireWorkspace } from "./workspaces.ts";

type Order = "requestStart" | "requestStop" | "requestDelete";
type Lease = { replica: number; lease: number };

const params = z.object({ id: workspaceIdText });

export function orderRoutes(deps: ApiDeps): Endpoint[] {
  const order = (name: "start" | "stop", functionName: Order, summary: string) =>
    endpoint(
      {
        method: "post",
        path: `/v1/workspaces/:id/${name}`,
        tag: "Workspaces",
        summary,
        access: "partner",
        writes: true,
        params,
        answer: orderAnswer,
      },
      async ({ partner, params }) => {
        await requireWorkspace(deps.db, partner.wallet, params.id);
        const leases = await heldLeases(deps, params.id);
        if (leases.length > 0)
          return { id: params.id, ...(await send(deps, params.id, functionName, leases)) };
        throw new InputError("No replica of the workspace is assigned yet.", {
          code: "workspace_not_assigned",
          status: 409,
          hint: "A replica starts automatically once it is assigned.",
        });
      },
    );
  return [
    order("start", "requestStart", "Start all stopped replicas"),
    order("stop", "requestStop", "Stop all replicas; each keeps its node"),
    endpoint(
      {
        method: "delete",
        path: "/v1/workspaces/:id",
        tag: "Workspaces",
        summary: "Close a workspace and delete its replicas",
        description: "No more replicas are assigned, the nodes delete theirs, and the leases end.",
        access: "partner",
        writes: true,
        params,
        answer: orderAnswer,
      },
      async ({ partner, params }) => {
        const workspace = await requireWorkspace(deps.db, partner.wallet, params.id);
        const closed = workspace.status === "open" ? await close(deps, params.id) : null;
        const leases = await undeletedLeases(deps, params.id);
        if (leases.length === 0) return { id: params.id, txHash: closed, leases: [], refusals: [] };
        return { id: params.id, ...(await send(deps, params.id, "requestDelete", leases)) };
      },
    ),
  ];
}

async function close(deps: ApiDeps, id: string): Promise<string | null> {
  try {
    const { hash } = await deps.writer.write({
      kind: "api.closeWorkspace",
      contract: "DockerContract",
      at: addressFor(deps.deployment, "DockerContract", { workspaceId: BigInt(id) }),
      functionName: "closeWorkspace",
      args: [BigInt(id)],
      dedupeKey: `close:${id}`,
    });
    return hash;
  } catch (error) {
    if (error instanceof InputError && error.details.error === "WorkspaceNotOpen") return null;
    throw error;
  }
}

async function heldLeases(deps: ApiDeps, id: string) {
  const rows = await listReplicas(deps.db, [id]);
  return rows
    .filter((row) => row.release_reason === null)
    .map(({ replica, lease, desired }) => ({ replica, lease, desired }));
}

/** The leases whose deletion is not ordered yet: a repeated deletion sends nothing. */
async function undeletedLeases(deps: ApiDeps, id: string) {
  return (await heldLeases(deps, id)).filter(({ desired }) => desired !== "delete");
}

async function send(deps: ApiDeps, id: string, functionName: Order, held: Lease[]) {
  const leases = held.map(({ replica, lease }) => ({ replica, lease }));
  const workspaceId = BigInt(id);
  const refs = leases.map((lease) => ({ workspaceId, ...lease }));
  const { hash, refusals } = await deps.writer.write({
    kind: `api.${functionName}`,
    contract: "DockerContract",
    at: addressFor(deps.deployment, "DockerContract", { workspaceId }),
    functionName,
    args: [refs],
  });
  const refused = new Map(refusals.map(({ index, error }) => [index, error.text]));
  return {
    txHash: hash,
    leases: leases.filter((_lease, index) => !refused.has(index)),
    refusals: leases.flatMap((lease, index) => {
      const reason = refused.get(index);
      return reason === undefined ? [] : [{ ...lease, reason }];
    }),
  };
}
