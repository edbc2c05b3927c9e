import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { passLines } from "../passLines.ts";
import { workspaceIdText } from "../schemas/common.ts";
import { logEntry, logsQuery } from "../schemas/logs.ts";
import { createStreamCounts } from "../streamCounts.ts";
import { requireWorkspace } from "./workspaces.ts";

export function logRoutes(deps: ApiDeps): Endpoint[] {
  const streams = createStreamCounts();
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/workspaces/:id/logs",
        tag: "Workspaces",
        summary: "Read what the container of a replica writes",
        description:
          "The lines of both streams as JSON lines, oldest first: each has a `cursor`, and `cursor` of a later request continues after it. Nothing that the node keeps is left out or repeated. An entry with `gap` shows lines that are not kept any more. With `follow` the answer stays open for further lines, for up to 15 minutes; empty lines keep its connection. After it has ended or broken off, ask again with the last cursor.",
        access: "partner",
        params: z.object({ id: workspaceIdText }),
        query: logsQuery,
        errors: [409, 501, 502],
        answer: logEntry,
        streams: {
          contentType: "application/jsonl",
          description: "A LogEntry in each line",
          always: true,
        },
      },
      async ({ partner, params, query, response, disconnected }) => {
        const { id } = await requireWorkspace(deps.db, partner.wallet, params.id);
        await streams.during(partner.wallet, () =>
          passLines(deps, response, { workspaceId: id, query, disconnected }),
        );
        return undefined;
      },
    ),
  ];
}
