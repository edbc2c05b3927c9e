import type { ApiClient, Schema } from "@ngpu/api-client/client";

export type LogEntry = Schema<"LogLine"> | Schema<"LogGap">;

/** Lines that a page keeps; older ones stay on the node. */
const kept = 50_000;
/** Milliseconds in which lines that arrive together are shown together. */
const framePause = 50;

export type LogState = { entries: readonly LogEntry[]; dropped: number; error: unknown };

/** The lines of a replica. They stay when the page shows something else, and go on after their last one. */
export type LogFeed = {
  read: () => LogState;
  subscribe: (onChange: () => void) => () => void;
};

const feeds = new WeakMap<ApiClient, Map<string, LogFeed>>();

/** The feed of a replica; each client of the API has its own ones. */
export function logFeedOf(api: ApiClient, workspaceId: string, replica: number): LogFeed {
  const own = feeds.get(api) ?? new Map<string, LogFeed>();
  feeds.set(api, own);
  const key = `${workspaceId}/${replica}`;
  const feed = own.get(key) ?? createLogFeed(api, workspaceId, replica);
  own.set(key, feed);
  return feed;
}

function createLogFeed(api: ApiClient, workspaceId: string, replica: number): LogFeed {
  let state: LogState = { entries: [], dropped: 0, error: undefined };
  let waiting: LogEntry[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | undefined;
  const listeners = new Set<() => void>();
  const change = (part: Partial<LogState>) => {
    state = { ...state, ...part };
    for (const onChange of listeners) onChange();
  };
  const show = () => {
    clearTimeout(timer);
    timer = undefined;
    const all = [...state.entries, ...waiting];
    waiting = [];
    const over = Math.max(0, all.length - kept);
    change({ entries: over === 0 ? all : all.slice(over), dropped: state.dropped + over, error: undefined });
  };
  const follow = async (signal: AbortSignal) => {
    const last = state.entries.at(-1)?.cursor;
    const query = {
      follow: "true" as const,
      replica: String(replica),
      ...(last === undefined ? {} : { cursor: last }),
    };
    const lines = api.lines<LogEntry>(
      "GET /v1/workspaces/{id}/logs",
      { path: { id: workspaceId }, query },
      { signal },
    );
    for await (const entry of lines) {
      if (signal.aborted) return;
      waiting.push(entry);
      timer ??= setTimeout(show, framePause);
    }
  };
  const start = () => {
    const own = new AbortController();
    running = own;
    follow(own.signal).catch((error: unknown) => {
      if (!own.signal.aborted) change({ error });
    });
  };
  const stop = () => {
    running?.abort();
    running = undefined;
    if (waiting.length > 0) show();
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    read: () => state,
    subscribe: (onChange) => {
      listeners.add(onChange);
      if (listeners.size === 1) start();
      return () => {
        listeners.delete(onChange);
        if (listeners.size === 0) stop();
      };
    },
  };
}
