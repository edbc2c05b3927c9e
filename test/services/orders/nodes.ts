import type { AssignmentState, Desired } from "@ngpu/contracts-sdk/enumNames";
import { startLoop } from "@ngpu/runtime/loop";
import { createTestContext } from "../support/context.ts";
import type { TestMarket } from "../workspace/market.ts";
import { report } from "../workspace/nodeReports.ts";

type Held = {
  workspaceId: bigint;
  replica: number;
  lease: number;
  nodeId: number;
  state: AssignmentState;
  desired: Desired;
};

/** The next report of a node that does immediately what is ordered. */
function nextState({ state, desired }: Held): AssignmentState | undefined {
  if (desired === "delete") return "deleted";
  if (desired === "run") return state === "running" ? undefined : "running";
  if (desired === "stop") return state === "stopped" ? undefined : "stopped";
  return state === "assigned" ? "ready" : undefined;
}

/** Reports as nodes that carry out every order. While paused, they report nothing. */
export function actAsNodes(market: TestMarket, nodes: { id: number; name: string }[]) {
  const { logger, signal, stop } = createTestContext("nodes");
  const names = new Map(nodes.map(({ id, name }) => [id, name]));
  let paused = false;
  const loop = startLoop({ name: "nodes", logger, signal, interval: 50 }, async () => {
    if (paused) return;
    const { rows } = await market.pool.query<Held>(
      `select workspace_id as "workspaceId", replica, lease, node_id as "nodeId", state, desired from chain.assignment
       where release_reason is null and state not in ('none', 'deleted', 'released')
         and not (state = 'running' and desired = 'run') and not (state = 'stopped' and desired = 'stop')`,
    );
    for (const held of rows) {
      const state = nextState(held);
      const name = names.get(held.nodeId);
      if (state === undefined || name === undefined) continue;
      const { workspaceId, replica, lease } = held;
      // Refused when the order has changed since; the next round reads it.
      await report(market.chain, name, { workspaceId, replica, lease }, state).catch(() => undefined);
    }
    await market.exported();
  });
  return {
    pause: (value: boolean) => {
      paused = value;
    },
    stop: async () => {
      await stop();
      await loop.done;
    },
  };
}
