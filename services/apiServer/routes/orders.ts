import type { Desired } from "@ngpu/contracts-sdk/enumNames";
import { addressFor } from "@ngpu/contracts-sdk/generations";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { workspaceIdText } from "../schemas/common.ts";
import { orderAnswer } from "../schemas/workspaces.ts";
import { recordOrder, recordOrderBlock, withOrderClaim } from "../store/workspaceOrders.ts";
import { listReplicas } from "../store/workspaces.ts";
import { requireOpen, requireWorkspace } from "./workspaces.ts";

type Order = "requestStart" | "requestStop" | "requestDelete";
type Lease = { replica: number; lease: number };

const params = z.object({ id: workspaceIdText });
/** The desired states that an order changes. A held lease needs no stop: it starts only when it is ordered to. */
const changes: Record<Order, readonly Desired[]> = {
  requestStart: ["hold", "stop"],
  requestStop: ["run"],
  requestDelete: ["hold", "run", "stop"],
};

export function orderRoutes(deps: ApiDeps): Endpoint[] {
  return [...startAndStop.map((one) => orderRoute(deps, one)), closeRoute(deps)];
}

const startAndStop = [
  {
    name: "start",
    functionName: "requestStart",
    summary: "Start all stopped replicas",
    description: "Replicas without a node are placed. A replica that is already started is not changed.",
  },
  {
    name: "stop",
    functionName: "requestStop",
    summary: "Stop all replicas; each keeps its node",
    description:
      "No replica gets a lease until the workspace is started. A replica that an update replaces loses its node.",
  },
] as const;

const orderRoute = (
  deps: ApiDeps,
  { name, functionName, summary, description }: (typeof startAndStop)[number],
) =>
  endpoint(
    {
      method: "post",
      path: `/v1/workspaces/:id/${name}`,
      tag: "Workspaces",
      summary,
      description,
      access: "partner",
      writes: true,
      params,
      answer: orderAnswer,
    },
    async ({ partner, params: { id } }) => {
      requireOpen(await requireWorkspace(deps.db, partner.wallet, id));
      return withOrderClaim(deps.db, id, async () => {
        await recordOrder(deps.db, id, name === "stop");
        return send(deps, id, functionName);
      });
    },
  );

const closeRoute = (deps: ApiDeps) =>
  endpoint(
    {
      method: "delete",
      path: "/v1/workspaces/:id",
      tag: "Workspaces",
      summary: "Close a workspace and delete its replicas",
      description:
        "No more replicas are assigned, the nodes delete theirs, and the leases end. A repeated call sends nothing.",
      access: "partner",
      writes: true,
      params,
      answer: orderAnswer,
    },
    async ({ partner, params: { id } }) => {
      const workspace = await requireWorkspace(deps.db, partner.wallet, id);
      const closed = workspace.status === "open" ? await close(deps, id) : null;
      const answer = await send(deps, id, "requestDelete");
      return { ...answer, txHash: answer.txHash ?? closed };
    },
  );

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

/** Sends the order for the leases that it changes; nothing when there is none. */
async function send(deps: ApiDeps, id: string, functionName: Order) {
  const rows = await listReplicas(deps.db, [id]);
  const leases: Lease[] = rows
    .filter((row) => row.release_reason === null && changes[functionName].includes(row.desired))
    .map(({ replica, lease }) => ({ replica, lease }));
  if (leases.length === 0) return { id, txHash: null, leases: [], refusals: [] };
  const workspaceId = BigInt(id);
  const { hash, receipt, refusals } = await deps.writer.write({
    kind: `api.${functionName}`,
    contract: "DockerContract",
    at: addressFor(deps.deployment, "DockerContract", { workspaceId }),
    functionName,
    args: [leases.map((lease) => ({ workspaceId, ...lease }))],
  });
  if (functionName !== "requestDelete") await recordOrderBlock(deps.db, id, receipt.blockNumber);
  const refused = new Map(refusals.map(({ index, error }) => [index, error.text]));
  return {
    id,
    txHash: hash,
    leases: leases.filter((_lease, index) => !refused.has(index)),
    refusals: leases.flatMap((lease, index) => {
      const reason = refused.get(index);
      return reason === undefined ? [] : [{ ...lease, reason }];
    }),
  };
}
