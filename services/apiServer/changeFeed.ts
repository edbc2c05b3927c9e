import { appChannel, chainChannel, listenForChanges } from "@ngpu/db/listen";
import { eventNotice } from "@ngpu/queries/workspaceEvents";
import type { Logger } from "@ngpu/runtime/logger";
import { cancelNotice } from "./store/taskCancel.ts";
import { historyTables } from "./store/workspaceHistory.ts";

/** Changes of one workspace's history. */
export type Subscription = {
  /** Call before the history is read: changes from now on end the next wait. */
  mark(): void;
  /** Resolves after a change since `mark`, after `ms`, or when the subscription is closed. */
  wait(ms: number): Promise<void>;
  close(): void;
};

type NoticeListener = (channel: string, payload: string | undefined) => void;

/** Wakes those who wait for events of workspaces. */
export type ChangeFeed = {
  subscribe(workspaceId: string): Subscription;
  /** Calls a function for each notification. Without a payload, anything may have changed. */
  onNotice(listener: NoticeListener): void;
  /** Aborted when the service stops. */
  signal: AbortSignal;
};

/** Listens to Postgres on one connection for all subscriptions. */
export function createChangeFeed(options: {
  url: string;
  logger: Logger;
  signal: AbortSignal;
  /** Called with the id of a task that was cancelled at any instance. */
  onCancel: (taskId: string) => void;
}): ChangeFeed {
  const subscribed = new Map<string, Set<() => void>>();
  const listeners: NoticeListener[] = [];
  const wakeAll = () => {
    for (const wakes of subscribed.values()) for (const wake of wakes) wake();
  };
  listenForChanges({
    ...options,
    channels: [appChannel, chainChannel],
    onNotice: (channel, payload) => {
      for (const listener of listeners) listener(channel, payload);
      if (payload?.startsWith(cancelNotice)) options.onCancel(payload.slice(cancelNotice.length));
      else if (payload?.startsWith(eventNotice)) {
        for (const wake of subscribed.get(payload.slice(eventNotice.length)) ?? []) wake();
      } else if (payload === undefined || (channel === chainChannel && concernsHistory(payload))) wakeAll();
    },
  });
  options.signal.addEventListener("abort", wakeAll, { once: true });
  return {
    signal: options.signal,
    onNotice: (listener) => void listeners.push(listener),
    subscribe: (workspaceId) => {
      const wakes = subscribed.get(workspaceId) ?? new Set();
      subscribed.set(workspaceId, wakes);
      const own = createWakeable();
      wakes.add(own.wake);
      return {
        mark: own.mark,
        wait: own.wait,
        close: () => {
          wakes.delete(own.wake);
          if (wakes.size === 0 && subscribed.get(workspaceId) === wakes) subscribed.delete(workspaceId);
          own.wake();
        },
      };
    },
  };
}

function createWakeable() {
  let isWoken = false;
  let resolve: (() => void) | undefined;
  return {
    wake: () => {
      isWoken = true;
      resolve?.();
    },
    mark: () => {
      isWoken = false;
    },
    async wait(ms: number) {
      if (isWoken) return;
      const woken = Promise.withResolvers<void>();
      resolve = woken.resolve;
      const timer = setTimeout(woken.resolve, ms);
      await woken.promise;
      clearTimeout(timer);
      resolve = undefined;
    },
  };
}

/** The tables that changed, as autoExport names them. A payload of another form may concern anything. */
function concernsHistory(payload: string): boolean {
  try {
    const { tables } = JSON.parse(payload) as { tables?: unknown };
    return !Array.isArray(tables) || tables.some((table) => historyTables.has(String(table)));
  } catch {
    return true;
  }
}
