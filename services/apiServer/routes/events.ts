import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { streamEvents } from "../eventStream.ts";
import { cursorText, parseCursor, readHistory, shownEvent, start } from "../history.ts";
import { workspaceIdText } from "../schemas/common.ts";
import { eventList, eventsHeaders, eventsQuery } from "../schemas/reasons.ts";
import { createStreamCounts } from "../streamCounts.ts";
import { requireWorkspace } from "./workspaces.ts";

export function eventRoutes(deps: ApiDeps): Endpoint[] {
  const streams = createStreamCounts();
  return [
    endpoint(
      {
        method: "get",
        path: "/v1/workspaces/:id/events",
        tag: "Workspaces",
        summary: "Show or stream the history of a workspace",
        description:
          "What happened on the chain, and why replicas did not run, oldest first. With `accept: text/event-stream` the events follow as they happen: `id` is the cursor, `data` an event as JSON. An event named `reorg` says that the chain replaced the blocks after `replacedAfter`; their events follow again. A stream ends after 15 minutes and is resumed with `last-event-id`, as browsers do.",
        access: "partner",
        params: z.object({ id: workspaceIdText }),
        query: eventsQuery,
        headers: eventsHeaders,
        answer: eventList,
        streams: { contentType: "text/event-stream", description: "Events of the type WorkspaceEvent" },
      },
      async ({ partner, params, query, headers, request, response, disconnected }) => {
        const { id } = await requireWorkspace(deps.db, partner.wallet, params.id);
        const given = headers["last-event-id"] || query.after;
        const after = given === undefined ? start : parseCursor(given);
        const wanted = request.accepts(["application/json", "text/event-stream"]);
        if (wanted === "text/event-stream" && request.method === "GET") {
          await streams.during(partner.wallet, () =>
            streamEvents(deps, response, { workspaceId: id, after, disconnected }),
          );
          return undefined;
        }
        const page = await readHistory(deps.db, id, after, query.limit);
        const last = page.events.at(-1);
        return {
          events: page.events.map(shownEvent),
          next: page.more && last !== undefined ? cursorText(last.cursor) : null,
          replacedAfter: page.replacedAfter === null ? null : String(page.replacedAfter),
        };
      },
    ),
  ];
}
