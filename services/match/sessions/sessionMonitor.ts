import type { Deployment } from "@ngpu/contracts-sdk/deployment";
import type { Database } from "@ngpu/db/pool";
import type { ServiceContext } from "@ngpu/runtime/lifecycle";
import { startLoop } from "@ngpu/runtime/loop";
import type { MatchMetrics } from "../metrics.ts";
import { clearMissedHeartbeats, recordMissedHeartbeats, refreshInstance } from "./absenceStore.ts";
import type { Session } from "./session.ts";
import { nameSubject, persistSessions, type Role, subjectIds } from "./sessionStore.ts";
import type { Sessions } from "./sessions.ts";
import { createTimingWheel, type TimingWheel } from "./timingWheel.ts";

export type SessionMonitorOptions = {
  context: ServiceContext;
  pool: Database;
  deployment: Deployment;
  sessions: Sessions;
  metrics: MatchMetrics;
  instance: string;
  heartbeatSeconds: number;
};

/** What a session said last is written so often, in ms. */
const persistIntervalMs = 12_000;
const tickMs = 500;

export type SessionMonitor = {
  wake(): void;
  /** Begins to watch a session that was opened. */
  watch(session: Session): void;
  /** Notes a heartbeat; `leasesChanged` when it says other leases than the one before. */
  recordHeartbeat(session: Session, leasesChanged: boolean): void;
};

/** Sessions by what is to be said or written of them, and the wheels that bring each one round. */
type Watched = {
  /** A node that has not beaten for so long is told of, in ms. */
  heartbeatTimeoutMs: number;
  silent: Set<Session>;
  recovered: Set<Session>;
  due: Set<Session>;
  changed: Set<Session>;
  heartbeatWheel: TimingWheel<Session>;
  persistWheel: TimingWheel<Session>;
};

/**
 * Keeps app.session true: says that this instance lives, writes by turns what sessions said last, tells of nodes that no longer
 * beat, and says welcome again to those whose registration has reached the chain.
 */
export function startSessionMonitor(options: SessionMonitorOptions): SessionMonitor {
  const { context, metrics, sessions } = options;
  const { logger, signal } = context;
  const watched = createWatched(options);
  const liveness = startLoop({ name: "liveness", logger, signal, interval: 1_000 }, () =>
    tellLiveness(options, watched),
  );
  const ticker = setInterval(() => {
    watched.heartbeatWheel.advance(Date.now());
    watched.persistWheel.advance(Date.now());
    if (watched.silent.size + watched.recovered.size > 0) liveness.wake();
  }, tickMs);
  ticker.unref();
  context.onStop("sessionMonitor", () => clearInterval(ticker));
  const loop = startLoop({ name: "sessionMonitor", logger, signal, interval: 2_000 }, async () => {
    await persist(options, watched);
    await identify(options, "node");
    await identify(options, "measurer");
    for (const role of ["node", "measurer"] as const) metrics.sessions.set({ role }, sessions.count(role));
  });
  return {
    wake: loop.wake,
    watch(session) {
      if (session.role === "node") watched.heartbeatWheel.add(session, watched.heartbeatTimeoutMs);
      // Spread over the time, so that nodes that came together are not written together.
      watched.persistWheel.add(session, 1_000 + 2_000 * Math.random());
    },
    recordHeartbeat: (session, leasesChanged) => noteBeat(watched, session, leasesChanged),
  };
}

function createWatched({ sessions, heartbeatSeconds }: SessionMonitorOptions): Watched {
  // Two beats and what they may be late; with the looks that follow a loss is noticed within 10 s.
  const heartbeatTimeoutMs = Math.max(3_000, heartbeatSeconds * 2_000 + 250);
  const silent = new Set<Session>();
  const due = new Set<Session>();
  const wheel = { tickMs, ticks: 64, now: Date.now() };
  const heartbeatWheel = createTimingWheel<Session>(wheel, (session, now) => {
    if (!isOpen(sessions, session)) return;
    const idle = now - session.lastHeartbeatAt;
    if (idle >= heartbeatTimeoutMs && !session.missed && session.subjectId !== null) {
      session.missed = true;
      silent.add(session);
    }
    heartbeatWheel.add(session, idle >= heartbeatTimeoutMs ? heartbeatTimeoutMs : heartbeatTimeoutMs - idle);
  });
  const persistWheel = createTimingWheel<Session>(wheel, (session) => {
    if (isOpen(sessions, session)) due.add(session);
  });
  return {
    heartbeatTimeoutMs,
    silent,
    recovered: new Set(),
    due,
    changed: new Set(),
    heartbeatWheel,
    persistWheel,
  };
}

function noteBeat({ changed, recovered }: Watched, session: Session, leasesChanged: boolean): void {
  session.lastHeartbeatAt = Date.now();
  if (leasesChanged) changed.add(session);
  if (!session.missed) return;
  session.missed = false;
  recovered.add(session);
}

/** Says that this instance lives, and which of its nodes went silent or beat again. */
async function tellLiveness(
  { pool, instance, metrics, sessions }: SessionMonitorOptions,
  { silent, recovered }: Watched,
): Promise<void> {
  await refreshInstance(pool, instance);
  const unreachable = drain(silent).filter((session) => session.missed && isOpen(sessions, session));
  const back = drain(recovered).filter((session) => !session.missed);
  if (unreachable.length > 0) {
    const now = Date.now();
    metrics.missed.inc(unreachable.length);
    await recordMissedHeartbeats(
      pool,
      unreachable.map(({ subjectId, lastHeartbeatAt }) => ({
        nodeId: Number(subjectId),
        idleSeconds: (now - lastHeartbeatAt) / 1_000,
      })),
    );
  }
  if (back.length > 0) {
    await clearMissedHeartbeats(
      pool,
      back.flatMap(({ subjectId }) => (subjectId === null ? [] : [subjectId])),
    );
  }
}

async function identify(options: SessionMonitorOptions, role: Role): Promise<void> {
  const { context, pool, deployment, sessions, heartbeatSeconds } = options;
  const unknown = [...sessions.unnamed()].filter((one) => one.role === role);
  const keys = unknown.map((session) => session.key);
  const ids = await subjectIds(pool, role, keys, deployment.parameters.before);
  for (const session of unknown) {
    const id = ids.get(session.key);
    if (id === undefined) continue;
    sessions.name(session, id);
    await nameSubject(pool, session.id, id);
    session.send({ type: "welcome", id, heartbeatSeconds });
    context.logger.info({ event: "session_named", session: session.id, role, id });
  }
}

async function persist(
  { pool, sessions }: SessionMonitorOptions,
  { due, changed, persistWheel }: Watched,
): Promise<void> {
  const dueNow = drain(due);
  for (const session of dueNow) persistWheel.add(session, persistIntervalMs);
  const seen = [...new Set([...dueNow, ...drain(changed)])];
  const still = await persistSessions(pool, seen);
  // What a notification told already, unless it was lost.
  sessions.replaced(seen.filter((session) => !still.has(session.id)).map((session) => session.id));
}

function isOpen(sessions: Sessions, session: Session): boolean {
  return sessions.withId(session.id) === session;
}

function drain<Item>(set: Set<Item>): Item[] {
  const items = [...set];
  set.clear();
  return items;
}
