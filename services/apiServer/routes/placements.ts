import { placementRecord } from "@ngpu/protocol/placement/response";
import { findPlacement } from "@ngpu/queries/placements";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { nextAfter } from "../paging.ts";
import { placementList, placementsQuery } from "../schemas/marketSummary.ts";
import { listPlacements, type PlacementRow } from "../store/placements.ts";

export function placementRoutes({ db }: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/placements",
        tag: "Market",
        summary: "List the decided placements, newest first",
        access: "public",
        query: placementsQuery,
        answer: placementList,
      },
      async ({ query: { limit, after } }) => {
        const [micros = "", id = ""] = after?.split(".") ?? [];
        const rows = await listPlacements(db, limit, after === undefined ? undefined : { micros, id });
        return {
          placements: rows.map(entryOf),
          next: nextAfter(rows, limit, (row) => `${row.micros}.${row.id}`),
        };
      },
    ),
    endpoint(
      {
        method: "get",
        path: "/v1/placements/:id",
        tag: "Market",
        summary: "Show how a replica's node was chosen",
        description:
          "The decision depends only on the chain's state at its block: `npm run cli -- verify placement <id>` recomputes and compares it.",
        access: "public",
        params: z.object({ id: z.uuid() }),
        answer: placementRecord,
      },
      async ({ params: { id } }) => {
        const placement = await findPlacement(db, id);
        if (placement === undefined) {
          throw new InputError(`There is no placement ${id}.`, {
            code: "placement_not_found",
            hint: "GET /v1/workspaces/{id} lists the placements of a workspace.",
            status: 404,
          });
        }
        return placement;
      },
    ),
  ];
}

function entryOf({ id, workspace_id, replica, status, node_id, block, answered_at }: PlacementRow) {
  const answeredAt = answered_at.toISOString();
  return { id, workspaceId: workspace_id, replica, status, nodeId: node_id, block, answeredAt };
}
