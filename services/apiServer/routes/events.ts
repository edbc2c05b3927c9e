import { InputError } from "@ngpu/runtime/errors";
import { z } from "zod";
import type { ApiDeps } from "../deps.ts";
import { type Endpoint, endpoint } from "../endpoint.ts";
import { streamEvents } from "../eventStream.ts";
import { cursorText, parseCursor, readHistory, shownEvent, start } from "../history.ts";
import { workspaceIdText } from "../schemas/common.ts";
import { eventList, eventsHeaders, eventsQuery } from "../schemas/reasons.ts";
import { requireWorkspace } from "./workspaces.ts";

/** Streams of one wallet that an instance serves at the same time. */
const maxStreams = 32;

export function eventRoutes(deps: ApiDeps): Endpoint[] {
  const streams = new Map<string, number>();
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
          const open = streams.get(partner.wallet) ?? 0;
          if (open >= maxStreams) throw tooManyStreams();
          streams.set(partner.wallet, open + 1);
          try {
            await streamEvents(deps, response, { workspaceId: id, after, disconnected });
          } finally {
            const left = (streams.get(partner.wallet) ?? 1) - 1;
            if (left === 0) streams.delete(partner.wallet);
            else streams.set(partner.wallet, left);
          }
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

function tooManyStreams(): InputError {
  return new InputError(`You have ${maxStreams} streams of events open.`, {
    code: "too_many_streams",
    status: 429,
    hint: "Close one, or read the events page by page.",
  });
}
