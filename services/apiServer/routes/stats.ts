import { json } from "node:stream/consumers";
import { replicaStats } from "@ngpu/protocol/replicaStats";
import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
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
        errors: [409, 501, 502],
        answer: statsAnswer,
      },
      async ({ partner, params, query, disconnected }) => {
        const { id } = await requireWorkspace(db, partner.wallet, params.id);
        const { message, replica, lease, nodeId } = await gateway.node({
          ...{ workspaceId: id, replica: query.replica, path: "/stats", method: "GET", silence: deadline },
          signal: AbortSignal.any([disconnected, AbortSignal.timeout(deadline)]),
        });
        const stats = replicaStats.safeParse(await json(message).catch(() => undefined));
        if (!stats.success) throw invalidAnswer(nodeId);
        return { ...stats.data, replica, lease, nodeId };
      },
    ),
  ];
}

function invalidAnswer(nodeId: number): InputError {
  return new InputError(`Node ${nodeId} answered with something else than numbers.`, {
    code: "node_answer_invalid",
    hint: "Try again. If it recurs, report it to the node's operator.",
    status: 502,
  });
}
