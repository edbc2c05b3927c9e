import type { AssignmentState } from "@ngpu/contracts-sdk/enumNames";
import type { WorkspaceSpec } from "@ngpu/protocol/workspaceSpec";
import type { TestMatch } from "../../services/match/setup.ts";
import type { drawsOf } from "../match/random.ts";

export type Workspace = { id: bigint; spec: WorkspaceSpec };

export type Lease = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  state: AssignmentState;
  desired: string;
};

/** What orders depend on. `lease` is that of the workspace's only replica; undefined: it has none. */
export type Facts = { lease: Lease | undefined; isStopped: boolean };

export async function factsOf({ db }: TestMatch, { id }: Workspace): Promise<Facts> {
  const { rows } = await db.query<Partial<Lease> & { isStopped: boolean }>(
    `select w.stopped as "isStopped", a.workspace_id::numeric as "workspaceId", replica::int, lease::int, state, desired
     from chain.workspace as w left join chain.assignment as a on a.workspace_id = w.workspace_id
       and release_reason is null and state not in ('none', 'deleted', 'released')
     where w.workspace_id = $1`,
    [id],
  );
  const { isStopped = false, ...lease }: Partial<Lease & { isStopped: boolean }> = rows[0] ?? {};
  return { isStopped, lease: lease.lease == null ? undefined : (lease as Lease) };
}

/** `start` and `stop` change the workspace on the chain, and order its lease, if it has one. */
const orders = ["assign", "start", "stop", "delete"] as const;
export type Order = (typeof orders)[number];

/** How often the contract accepted and refused each order. */
export type OrderCounts = Record<Order, { accepted: number; refused: number }>;

export const noOrders = (): OrderCounts => ({
  assign: { accepted: 0, refused: 0 },
  start: { accepted: 0, refused: 0 },
  stop: { accepted: 0, refused: 0 },
  delete: { accepted: 0, refused: 0 },
});

/** Orders that were sent several times, and never accepted: the trial does not do what it says. */
export function neverAccepted(counts: OrderCounts): Order[] {
  return orders.filter((order) => counts[order].accepted === 0 && counts[order].refused >= 3);
}

/** Sends an order to the chain, and counts it. The contract may refuse it: the state that it was decided on may be outdated. */
export async function send(
  { chain }: TestMatch,
  { workspace, nodeId, counts }: { workspace: Workspace; nodeId: number; counts: OrderCounts },
  order: Order,
  lease?: Lease,
): Promise<void> {
  const refs = lease === undefined ? [] : [{ workspaceId: workspace.id, replica: 0, lease: lease.lease }];
  try {
    if (order === "assign") await chain.assign(workspace, 0, nodeId);
    else if (order === "delete") await Promise.all(refs.map(chain.requestDelete));
    else await chain.setStopped(workspace.id, order === "stop", refs);
    counts[order].accepted += 1;
  } catch {
    // The judgement looks at the chain alone.
    counts[order].refused += 1;
  }
}

/** The next order for a workspace, by chance. A stopped workspace gets no lease before it is started. */
export function nextOrder({ lease, isStopped }: Facts, draws: ReturnType<typeof drawsOf>): Order | undefined {
  if (lease === undefined) return isStopped ? "start" : "assign";
  if (lease.desired === "delete") return undefined;
  const draw = draws.next();
  if (lease.desired === "run") return draw < 0.4 ? "stop" : "delete";
  return draw < 0.6 ? "start" : "delete";
}

/** The order that makes a workspace run at the end. */
export function lastOrder({ lease, isStopped }: Facts): Order | undefined {
  if (isStopped && lease?.desired !== "delete") return "start";
  if (lease === undefined) return "assign";
  if (lease.desired === "hold") return "start";
  // A failed lease starts again under a new order.
  return lease.desired === "run" && lease.state === "failed" ? "stop" : undefined;
}
