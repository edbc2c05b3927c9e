import type { Schema } from "@ngpu/api-client/client";
import { useEffect, useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { Empty, ErrorNotice } from "../../ui/notices.tsx";
import { Code } from "../../ui/page.tsx";

type Event = Schema<"WorkspaceEvent">;

/** A workspace's history, newest first, live. The stream resumes after its last event, so a lost connection loses none. */
export function Events({ id }: { id: string }) {
  const { t, format } = useSettings();
  const { events, error } = useEvents(id);
  if (error !== undefined) return <ErrorNotice error={error} />;
  if (events.length === 0) return <Empty>{t("events.none")}</Empty>;
  return (
    <ol className="events" aria-live="polite">
      {events.toReversed().map((event) => (
        <li key={event.id}>
          <time className="muted" dateTime={event.time} title={format.time(event.time)}>
            {format.clock(event.time)}
          </time>
          <span>
            <span lang="en">{event.message}</span>{" "}
            <span className="unit">
              {[
                event.replica === null ? "" : t("events.replica", { replica: event.replica }),
                event.nodeId === null ? "" : t("node.name", { id: event.nodeId }),
                event.count > 1 ? t("events.times", { count: format.count(event.count) }) : "",
                event.source === "chain" ? "" : t(`events.by.${event.source}`),
              ]
                .filter((part) => part !== "")
                .join(" · ")}
            </span>
          </span>
          {event.hint === null ? null : (
            <span className="detail muted" lang="en">
              {event.hint}
            </span>
          )}
          <Log details={event.details} />
        </li>
      ))}
    </ol>
  );
}

/** The last lines that a container printed. */
function Log({ details }: { details: Event["details"] }) {
  const { log } = details as { log?: unknown };
  return typeof log === "string" && log !== "" ? <Code detail>{log}</Code> : null;
}

function useEvents(id: string) {
  const { api } = useSession();
  const [state, setState] = useState<{ events: Event[]; error: unknown }>({ events: [], error: undefined });
  useEffect(() => {
    const abort = new AbortController();
    const follow = async () => {
      const stream = api.stream(
        "GET /v1/workspaces/{id}/events",
        { path: { id } },
        { resume: true, signal: abort.signal },
      );
      for await (const { event: kind, data } of stream) {
        const parsed: unknown = JSON.parse(data);
        setState(({ events }) => ({ events: withEvent(events, kind, parsed), error: undefined }));
      }
    };
    setState({ events: [], error: undefined });
    follow().catch((error: unknown) => {
      if (!abort.signal.aborted) setState(({ events }) => ({ events, error }));
    });
    return () => abort.abort();
  }, [api, id]);
  return state;
}

/** Adds an event, which replaces the one with its id. A reorg removes what the chain no longer has; it follows again. */
function withEvent(events: Event[], kind: string, parsed: unknown): Event[] {
  if (kind === "reorg") {
    const after = BigInt((parsed as { replacedAfter: string }).replacedAfter);
    return events.filter(({ block }) => block === null || BigInt(block) <= after);
  }
  const event = parsed as Event;
  return [...events.filter(({ id }) => id !== event.id), event];
}
