import type { Desired } from "@ngpu/contracts-sdk/enumNames";
import { addressFor } from "@ngpu/contracts-sdk/generations";
import { scalingIn } from "@ngpu/protocol/scaling";
import { NgpuError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { withinLimit } from "../keyLimits.ts";
import { workspaceIdText } from "../schemas/common.ts";
import { orderAnswer } from "../schemas/workspaces.ts";
import { listReplicas } from "../store/workspaces.ts";
import type { OrderSender } from "../workspaceOrders.ts";
import { requireOpen, requireWorkspace } from "./workspaces.ts";

type Order = "stop" | "start" | "delete";
type Lease = { replica: number; lease: number };

const params = z.object({ id: workspaceIdText });
/** The desired states that an order changes. A held lease needs no stop: it starts only when it is ordered to. */
const changes: Record<Order, readonly Desired[]> = {
  stop: ["run"],
  start: ["hold", "stop"],
  delete: ["hold", "run", "stop"],
};
/** Maximum leases in the transaction of an order. The service workspace orders the others. */
const maxLeases = 200;

export function orderRoutes(deps: ApiDeps): Endpoint[] {
  return [
    setStopped(
      deps,
      "start",
      "Start a stopped workspace",
      "Replicas without a node are placed. A replica that is already started is not changed.",
    ),
    setStopped(
      deps,
      "stop",
      "Stop all replicas; each keeps its node",
      "No replica gets a lease until the workspace is started. A replica that an update replaces loses its node.",
    ),
    deletion(deps),
  ];
}

function setStopped(deps: ApiDeps, name: "start" | "stop", summary: string, description: string): Endpoint {
  return endpoint(
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
      return deps.orders.run(id, async (order) => {
        const workspace = await requireWorkspace(deps.db, partner.wallet, id);
        requireOpen(workspace);
        const leases = await leasesFor(deps, id, name);
        const isSo = workspace.stopped === (name === "stop");
        if (isSo && leases.length === 0) return nothing(id);
        const send = async () => {
          const sent = await order.write({
            kind: `api.${name}Workspace`,
            ...contractOf(deps, id),
            functionName: name === "stop" ? "stopWorkspace" : "startWorkspace",
            args: [BigInt(id), refsOf(id, leases)],
          });
          return answerOf(id, leases, sent);
        };
        if (name === "stop") return send();
        const most = Math.max(workspace.replicas, scalingIn(workspace.config)?.max ?? 0);
        const rate = workspace.max_price_per_second * BigInt(most);
        return withinLimit(deps.db, partner, { id, rate }, send, (answer) => answer.id);
      });
    },
  );
}

function deletion(deps: ApiDeps): Endpoint {
  return endpoint(
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
      await requireWorkspace(deps.db, partner.wallet, id);
      const send = async (order: OrderSender) => {
        const { status } = await requireWorkspace(deps.db, partner.wallet, id);
        const closed = status === "open" ? await close(deps, id, order) : null;
        const leases = await leasesFor(deps, id, "delete");
        if (leases.length === 0) return { ...nothing(id), txHash: closed };
        const sent = await order.write({
          kind: "api.requestDelete",
          ...contractOf(deps, id),
          functionName: "requestDelete",
          args: [refsOf(id, leases)],
        });
        return answerOf(id, leases, sent);
      };
      // Of several deletions at once, one is sent and the others see its result.
      return deps.orders.run(id, send, { waits: true });
    },
  );
}

/** Closes a workspace. @returns Null when it was closed in the meantime. */
async function close(deps: ApiDeps, id: string, order: OrderSender): Promise<string | null> {
  try {
    const { hash } = await order.write({
      kind: "api.closeWorkspace",
      ...contractOf(deps, id),
      functionName: "closeWorkspace",
      args: [BigInt(id)],
    });
    return hash;
  } catch (error) {
    if (error instanceof NgpuError && error.code === "workspace_closed") return null;
    throw error;
  }
}

const contractOf = ({ deployment }: ApiDeps, id: string) =>
  ({
    contract: "DockerContract",
    at: addressFor(deployment, "DockerContract", { workspaceId: BigInt(id) }),
  }) as const;

const refsOf = (id: string, leases: Lease[]) =>
  leases.map((lease) => ({ workspaceId: BigInt(id), ...lease }));

/** The leases that an order changes. */
async function leasesFor({ db }: ApiDeps, id: string, order: Order): Promise<Lease[]> {
  const rows = await listReplicas(db, [id]);
  return rows
    .filter((row) => row.release_reason === null && changes[order].includes(row.desired))
    .slice(0, maxLeases)
    .map(({ replica, lease }) => ({ replica, lease }));
}

const nothing = (id: string) => ({ id, txHash: null, leases: [], refusals: [] });

type Sent = { hash: string; refusals: { index: number; error: { text: string } }[] };

function answerOf(id: string, leases: Lease[], { hash, refusals }: Sent) {
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
