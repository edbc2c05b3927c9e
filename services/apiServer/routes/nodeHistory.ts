import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { measurementOf } from "../measurementView.ts";
import { nextAfter } from "../paging.ts";
import { nodeIdText, page } from "../schemas/common.ts";
import { nodeLeases } from "../schemas/market.ts";
import { leasesQuery, measurementList, nodeSlots, slotsQuery } from "../schemas/marketSummary.ts";
import { findNode, listNodeLeases, type NodeLeaseRow } from "../store/market.ts";
import { listMeasurements } from "../store/measurements.ts";
import { nodeSlotsOf } from "../store/presence.ts";

const params = z.object({ id: nodeIdText });

export function nodeHistoryRoutes(deps: ApiDeps): Endpoint[] {
  return [slots(deps), measurements(deps), leases(deps)];
}

const slots = ({ db, deployment }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/nodes/:id/slots",
      tag: "Market",
      summary: "Show in which heartbeat slots a node was present",
      access: "public",
      params,
      query: slotsQuery,
      answer: nodeSlots,
    },
    async ({ params: { id }, query: { limit } }) => {
      const nodeId = await requireNode(db, id);
      const { slotSeconds } = deployment.parameters;
      return { nodeId, slotSeconds, ...(await nodeSlotsOf(db, nodeId, limit)) };
    },
  );

const measurements = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/nodes/:id/measurements",
      tag: "Market",
      summary: "List a node's measurement rounds, newest first",
      access: "public",
      params,
      query: page,
      answer: measurementList,
    },
    async ({ params: { id }, query: { limit, after } }) => {
      const rows = await listMeasurements(db, await requireNode(db, id), limit, after);
      return { measurements: rows.map(measurementOf), next: nextAfter(rows, limit, (row) => row.id) };
    },
  );

const leases = ({ db }: ApiDeps) =>
  endpoint(
    {
      method: "get",
      path: "/v1/nodes/:id/leases",
      tag: "Market",
      summary: "List a node's leases, newest first",
      access: "public",
      params,
      query: leasesQuery,
      answer: nodeLeases,
    },
    async ({ params: { id }, query: { limit, after } }) => {
      const [block = "", workspaceId = "", replica = "", lease = ""] = after?.split(".") ?? [];
      const before = after === undefined ? undefined : { block, workspaceId, replica, lease };
      const rows = await listNodeLeases(db, await requireNode(db, id), limit, before);
      return { leases: rows.map(leaseOf), next: nextAfter(rows, limit, placeOf) };
    },
  );

const placeOf = ({ assigned_block, workspace_id, replica, lease }: NodeLeaseRow) =>
  `${assigned_block}.${workspace_id}.${replica}.${lease}`;

function leaseOf({ workspace_id, release_reason, price_per_second, assigned_block, ...row }: NodeLeaseRow) {
  return {
    ...row,
    workspaceId: workspace_id,
    releaseReason: release_reason,
    pricePerSecond: String(price_per_second),
    assignedBlock: assigned_block,
  };
}

/** @throws InputError `node_not_found` */
export async function requireNode(db: ApiDeps["db"], id: string): Promise<number> {
  const nodeId = Number(id);
  if ((await findNode(db, nodeId)) !== undefined) return nodeId;
  throw new InputError(`There is no node ${nodeId}.`, {
    code: "node_not_found",
    hint: "GET /v1/nodes lists the nodes.",
    status: 404,
  });
}
