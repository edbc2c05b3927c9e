import { replicaStats } from "@ngpu/protocol/replicaStats";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { invalidAnswer, nodeJson } from "../gatewayClient.ts";
import { workspaceIdText } from "../schemas/common.ts";
import { replicaNumber } from "../schemas/logs.ts";
import { requireWorkspace } from "./workspaces.ts";

/** @deadline A node to read what a container uses, which takes about a second. The call fails. */
const deadline = 15_000;

const statsAnswer = replicaStats
  .extend({ replica: z.number().int(), lease: z.number().int(), nodeId: z.number().int() })
  .meta({ id: "ReplicaStats" });

export function statsRoutes({ db, gateway }: ApiDeps): Endpoint[] {
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/workspaces/:id/stats",
        tag: "Workspaces",
        summary: "Show what the container of a replica uses",
        description: "The node reads it when it is asked, which takes about a second.",
        access: "partner",
        params: z.object({ id: workspaceIdText }),
        query: z.object({ replica: replicaNumber }),
        errors: [409, 501, 502, 504],
        answer: statsAnswer,
      },
      async ({ partner, params, query, disconnected }) => {
        const { id } = await requireWorkspace(db, partner.wallet, params.id);
        const signal = AbortSignal.any([disconnected, AbortSignal.timeout(deadline)]);
        const answer = await gateway.node({
          workspaceId: id,
          replica: query.replica,
          path: "/stats",
          method: "GET",
          silence: deadline,
          signal,
        });
        const { replica, lease, nodeId } = answer;
        const stats = replicaStats.safeParse(await nodeJson(answer, signal));
        if (!stats.success) throw invalidAnswer(nodeId);
        return { ...stats.data, replica, lease, nodeId };
      },
    ),
  ];
}
