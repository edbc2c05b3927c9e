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

/** The lease of a workspace's only replica; undefined: it has none. */
export async function leaseOf({ db }: TestMatch, { id }: Workspace): Promise<Lease | undefined> {
  const { rows } = await db.query<Lease>(
    `select workspace_id::numeric as "workspaceId", replica::int, lease::int, state, desired from chain.assignment
     where workspace_id = $1 and release_reason is null and state not in ('none', 'deleted', 'released')`,
    [id],
  );
  return rows[0];
}

type Order = "assign" | "requestStart" | "requestStop" | "requestDelete";

/** Sends an order to the chain. @returns Whether the contract accepted it: the state that it was decided on may be outdated. */
export async function send(
  test: TestMatch,
  { workspace, nodeId }: { workspace: Workspace; nodeId: number },
  order: Order,
  lease?: Lease,
): Promise<boolean> {
  try {
    if (order === "assign") await test.chain.assign(workspace, 0, nodeId);
    else {
      const { workspaceId = workspace.id, replica = 0, lease: number = 0 } = lease ?? {};
      await test.keeper.send({
        kind: "test",
        contract: "DockerContract",
        functionName: order,
        args: [[{ workspaceId, replica, lease: number }]],
      } as const);
    }
    return true;
  } catch {
    // The judgement looks at the chain alone.
    return false;
  }
}

/** The next order for a workspace, by chance. */
export function nextOrder(lease: Lease | undefined, draws: ReturnType<typeof drawsOf>): Order | undefined {
  if (lease === undefined) return "assign";
  if (lease.desired === "delete") return undefined;
  const draw = draws.next();
  if (lease.desired === "run") return draw < 0.4 ? "requestStop" : "requestDelete";
  return draw < 0.6 ? "requestStart" : "requestDelete";
}

/** The order that makes a workspace run at the end. */
export function lastOrder(lease: Lease | undefined): Order | undefined {
  if (lease === undefined) return "assign";
  if (lease.desired === "stop" || lease.desired === "hold") return "requestStart";
  // A failed lease starts again under a new order.
  return lease.desired === "run" && lease.state === "failed" ? "requestStop" : undefined;
}
