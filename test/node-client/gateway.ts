import getPort from "get-port";
import type { Address } from "viem";
import { openGateway as openGatewayAt } from "../services/gateway/setup.ts";
import { insertNode } from "../services/support/chainTables.ts";

/** The real gateway on a real Postgres. `url` is the URL in the market's description. */
export async function openGateway() {
  const { db, addAssignments, ...gateway } = await openGatewayAt({
    port: await getPort({ host: "127.0.0.1" }),
  });
  return {
    ...gateway,
    addNode: (nodeId: number, key: Address) => insertNode(db, { node_id: nodeId, key: key.toLowerCase() }),
    addReplica: (row: Record<string, unknown>) => addAssignments([row]),
  };
}
